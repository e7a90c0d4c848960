"""Statistics against NumPy over all pixels at once."""

from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc, write_png
from data_trees import write_bdd10k, write_folder

from distill.data import statistics
from distill.data.statistics import _histogram, measure
from distill.datasets.acdc import list_acdc
from distill.datasets.bdd10k import list_bdd10k
from distill.datasets.class_map import ClassMap
from distill.datasets.folder import list_folder, list_images
from distill.datasets.frame import Frame, read_sample
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError


def all_pixels(frames: list[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """RGB [N, 3] in 0…1 and the labels [M] of all frames."""
    samples = [read_sample(frame) for frame in frames]
    labels = [sample.labels.ravel() for sample in samples if sample.labels is not None]
    return np.concatenate([s.image.reshape(-1, 3) for s in samples]) / 255, np.concatenate([*labels, []])


@pytest.mark.parametrize("portion", [1 << 23, 100])
def test_mean_std_and_shares(tmp_path: Path, portion: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_EXACT", portion)
    # Two sizes: the average over images is another one than that over pixels.
    frames = list_acdc(write_acdc(tmp_path / "a", size=(12, 20)), "train").complete()
    frames += list_bdd10k(write_bdd10k(tmp_path / "b"), "train").complete()
    pixels, labels = all_pixels(frames)
    found = measure(frames, CLASS_NAMES)
    np.testing.assert_allclose(found.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, pixels.std(0), rtol=1e-12)
    assert (found.images, found.pixels) == (11, len(pixels))
    counts = [int((labels == number).sum()) for number in range(19)]
    assert list(found.class_pixels) == counts
    np.testing.assert_allclose(found.shares, np.array(counts) / sum(counts))
    assert found.ignored_pixels == (labels == 255).sum()
    assert found.ignored_share == pytest.approx((labels == 255).mean())


def test_counts_beyond_what_fp32_holds() -> None:
    side = 4097  # side² is odd and above 2²⁴
    assert _histogram(np.full((side, side), 3, np.uint8)).tolist() == [0, 0, 0, side**2] + [0] * 252


def test_constant_images_have_no_deviation(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.full((7, 9, 3), 77, np.uint8))
    found = measure(list_images(tmp_path).frames, CLASS_NAMES)
    assert found.mean == (77 / 255,) * 3
    assert found.std == (0, 0, 0)
    assert (found.ignored_share, found.labelled_pixels, sum(found.shares)) == (None, 0, 0)


def test_own_classes(tmp_path: Path) -> None:
    labels = np.array([[0, 0, 5], [5, 5, 9]], np.uint8)
    write_folder(tmp_path, [labels])
    classes = ClassMap({0: "b", 5: "a", 9: None}, ("a", "b", "c"))
    frames = list_folder(tmp_path / "images", tmp_path / "labels", classes).complete()
    found = measure(frames, ("a", "b", "c"))
    assert found.class_pixels == (3, 2, 0)
    assert found.ignored_pixels == 1


def test_several_processes_find_the_same(tmp_path: Path) -> None:
    frames = list_acdc(write_acdc(tmp_path, frames=1), "train").complete()
    assert measure(frames, CLASS_NAMES, workers=2) == measure(frames, CLASS_NAMES)


def test_a_broken_file_and_no_files_are_refused(tmp_path: Path) -> None:
    frames = list_acdc(write_acdc(tmp_path, frames=1), "train").complete()
    frames[2].image.write_bytes(b"x")
    with pytest.raises(UserError, match=str(frames[2].image)):
        measure(frames, CLASS_NAMES)
    with pytest.raises(UserError, match="no images"):
        measure([], CLASS_NAMES)
