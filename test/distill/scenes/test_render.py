import subprocess
import sys

import numpy as np
import pytest

from distill.scenes.labels import SIDEWALK, SKY, TERRAIN
from distill.scenes.render import VIEW, draw_camera, draw_scene, render_scene
from distill.scenes.street import build
from kd_seg_ros.common.classes import NUM_CLASSES
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.conditions import CONDITIONS as ACDC_CONDITIONS

SIZE = (72, 128)


@pytest.mark.parametrize("condition", [*CONDITIONS, "clear"])
def test_a_seed_gives_the_same_bytes_every_time_and_another_seed_others(condition: str) -> None:
    first, again = render_scene(5, SIZE, condition), render_scene(5, SIZE, condition)
    other = render_scene(6, SIZE, condition)

    np.testing.assert_array_equal(first.rgb, again.rgb)
    np.testing.assert_array_equal(first.labels, again.labels)
    np.testing.assert_array_equal(first.depth, again.depth)
    assert (first.rgb != other.rgb).mean() > 0.5


def test_a_seed_sequence_is_not_used_up() -> None:
    sequence = np.random.SeedSequence((1, 2))

    first, again = render_scene(sequence, SIZE, "rain"), render_scene(sequence, SIZE, "rain")

    np.testing.assert_array_equal(first.rgb, again.rgb)


def test_the_weather_changes_the_picture_and_nothing_else() -> None:
    frames = [render_scene(8, SIZE, condition) for condition in CONDITIONS]

    for frame in frames[1:]:
        np.testing.assert_array_equal(frame.labels, frames[0].labels)
        np.testing.assert_array_equal(frame.depth, frames[0].depth)
        assert np.abs(frame.rgb.astype(int) - frames[0].rgb).mean() > 5


@pytest.mark.parametrize("size", [(40, 90), (91, 33), (64, 64)])
def test_frames_of_any_size(size: tuple[int, int]) -> None:
    frame = render_scene(2, size, "fog")

    assert frame.rgb.shape == (*size, 3)
    assert frame.rgb.dtype == np.uint8
    assert frame.labels.shape == size
    assert frame.labels.dtype == np.uint8
    assert frame.labels.max() < NUM_CLASSES
    assert frame.depth.shape == size
    assert (np.isinf(frame.depth) == (frame.labels == SKY)).all()
    assert (frame.depth > 0.1).all()


def test_all_classes_are_common() -> None:
    count, images = np.zeros(NUM_CLASSES, int), 40
    for seed in range(images):
        rng = np.random.default_rng(seed)
        street = build(seed, VIEW)
        labels = draw_scene(street, draw_camera(rng, street, (144, 256)), 0.0).labels
        count += np.bincount(labels.ravel(), minlength=NUM_CLASSES) >= 12

    assert (count >= 0.05 * images).all(), count


def test_night_is_darker_than_day_and_snow_brightens_the_ground() -> None:
    picture, ground = {}, {}
    for condition in ("clear", "night", "snow"):
        frames = [render_scene(seed, SIZE, condition) for seed in range(6)]
        picture[condition] = np.mean([frame.rgb.mean() for frame in frames])
        offroad = [frame.rgb[(frame.labels == SIDEWALK) | (frame.labels == TERRAIN)] for frame in frames]
        ground[condition] = np.mean(np.concatenate(offroad))

    assert picture["night"] < 0.6 * picture["clear"]
    assert ground["snow"] > ground["clear"] + 20


def test_the_conditions_are_acdcs() -> None:
    assert CONDITIONS == ACDC_CONDITIONS


def test_an_unknown_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="hail"):
        render_scene(0, SIZE, "hail")


def test_scenes_are_made_without_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; import distill.commands.scenes; "
        "assert not any(name.split('.')[0] in ('lightning', 'timm') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)
