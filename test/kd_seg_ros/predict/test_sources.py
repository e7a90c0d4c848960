"""Every kind of source gives its frames in order, and what is none is refused in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drive_bag import write_bag

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DECODE_DEFAULTS, DecodeOptions
from kd_seg_ros.predict.sources import Frame, Source, open_source

RNG = np.random.default_rng(0)


def frames_of(source: Source) -> list[Frame]:
    return [frame for _, frame in source.frames()]


def image_file(path: Path, height: int = 6, width: int = 8) -> np.ndarray:
    """Write a PNG; return its pixels, RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = RNG.integers(0, 256, (height, width, 3), np.uint8)
    cv2.imwrite(str(path), rgb[..., ::-1])
    return rgb


def video_file(path: Path, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (32, 24))
    for number in range(frames):
        writer.write(np.full((24, 32, 3), 20 * number, np.uint8))
    writer.release()


def test_a_single_image(tmp_path: Path) -> None:
    rgb = image_file(tmp_path / "a b.png")
    source = open_source(str(tmp_path / "a b.png"), DECODE_DEFAULTS)
    ((_, frame),) = source.frames()
    assert (frame.name, source.total, source.live) == ("a b.png", 1, False)
    np.testing.assert_array_equal(frame.image, rgb)


def test_a_folder_in_the_order_that_people_expect(tmp_path: Path) -> None:
    for name in ("10.png", "2.png", "sub/1.png"):
        image_file(tmp_path / name)
    frames = frames_of(open_source(str(tmp_path), DECODE_DEFAULTS))
    assert [frame.name for frame in frames] == ["2.png", "10.png", "sub/1.png"]


def test_a_pattern_and_its_common_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("x/a.png", "y/a.png", "y/b.txt"):
        image_file(tmp_path / name) if name.endswith("png") else (tmp_path / name).touch()
    for pattern in (str(tmp_path / "*/*"), str(tmp_path / "**/*.png")):
        frames = frames_of(open_source(pattern, DECODE_DEFAULTS))
        assert [frame.name for frame in frames] == ["x/a.png", "y/a.png"]
    monkeypatch.chdir(tmp_path)
    assert [frame.name for frame in frames_of(open_source("x/*.png", DECODE_DEFAULTS))] == ["a.png"]


def test_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    image_file(tmp_path / "drive [1]" / "a.png")
    assert open_source(str(tmp_path / "drive [1]"), DECODE_DEFAULTS).total == 1


def test_images_that_are_passed_over_are_not_read(tmp_path: Path) -> None:
    for number in range(1, 6):
        image_file(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"no image")
    found = list(open_source(str(tmp_path), DECODE_DEFAULTS).frames(2))
    assert [(number, frame.name) for number, frame in found] == [(1, "1.png"), (3, "3.png"), (5, "5.png")]
    video_file(tmp_path / "v.avi", 5)
    numbers = [number for number, _ in open_source(str(tmp_path / "v.avi"), DECODE_DEFAULTS).frames(2)]
    assert numbers == [1, 3, 5]


def test_a_damaged_image_is_a_problem_and_the_next_one_comes(tmp_path: Path) -> None:
    image_file(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no image")
    image_file(tmp_path / "3.png")
    frames = frames_of(open_source(str(tmp_path), DECODE_DEFAULTS))
    assert [frame.image is None for frame in frames] == [False, True, False]
    assert "2.png" in frames[1].problem


def test_a_video_with_its_rate(tmp_path: Path) -> None:
    video_file(tmp_path / "v.avi", 5)
    source = open_source(str(tmp_path / "v.avi"), DECODE_DEFAULTS)
    assert (source.total, source.hertz, source.live) == (5, 20, False)
    frames = frames_of(source)
    assert [frame.name for frame in frames] == [f"{number:06d}" for number in range(5)]
    means = [float(np.mean(frame.image)) for frame in frames if frame.image is not None]
    np.testing.assert_allclose(means, [0, 20, 40, 60, 80], atol=2)
    assert frames[1].time == 50_000_000


def test_a_video_is_turned(tmp_path: Path) -> None:
    video_file(tmp_path / "v.avi", 1)
    ((_, frame),) = open_source(str(tmp_path / "v.avi"), DecodeOptions(rotate=90)).frames()
    assert frame.image is not None
    assert frame.image.shape == (32, 24, 3)


def test_a_bag(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", frames=3)
    source = open_source(str(tmp_path / "bag"), DECODE_DEFAULTS)
    frames = frames_of(source)
    assert source.total == len(frames) == 3
    assert all(frame.image is not None for frame in frames)
    with pytest.raises(UserError, match="topic"):
        open_source(str(tmp_path / "bag"), DECODE_DEFAULTS, "/none")


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    image_file(tmp_path / "street.png")
    (tmp_path / "text.txt").write_text("words")
    (tmp_path / "empty").mkdir()
    for text, message in (
        (str(tmp_path / "stret.png"), "no such file or folder; did you mean 'street.png'"),
        (str(tmp_path / "*.jpg"), r"no \.png, \.jpg, \.jpeg files match"),
        (str(tmp_path / "*.txt"), "only 1 other files"),
        (str(tmp_path / "text.txt"), "neither a folder of images nor a video"),
        (str(tmp_path / "empty"), "no .png"),
    ):
        with pytest.raises(UserError, match=message):
            open_source(text, DECODE_DEFAULTS)
    with pytest.raises(UserError, match="--topic is for bags"):
        open_source(str(tmp_path / "street.png"), DECODE_DEFAULTS, "/camera")


def test_a_pattern_that_finds_nothing_offers_the_nearest_name(tmp_path: Path) -> None:
    image_file(tmp_path / "frame_0001.png")
    with pytest.raises(UserError, match=r"files match; did you mean 'frame_0001\.png'\?"):
        open_source(str(tmp_path / "frane_00*.png"), DECODE_DEFAULTS)
