"""One frame on disk and what is read of it."""

from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_png
from PIL import Image

from distill.datasets.frame import Frame, read_image, read_sample
from kd_seg_ros.common.errors import UserError


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_eight_bit_images_of_every_kind_are_read_as_rgb(tmp_path: Path, mode: str) -> None:
    grey = np.arange(60, dtype=np.uint8).reshape(6, 10) * 4
    Image.fromarray(grey).convert(mode).save(tmp_path / "image.png")
    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), np.dstack([grey] * 3))


def test_labels_are_checked_against_the_frames_own_number_of_classes(tmp_path: Path) -> None:
    image, labels = tmp_path / "image.png", tmp_path / "labels.png"
    write_png(image, np.zeros((2, 3, 3), np.uint8))
    write_png(labels, np.array([[0, 10, 255], [5, 11, 7]], np.uint8))
    assert read_sample(Frame(image, labels, "normal", num_classes=12)).labels is not None
    with pytest.raises(UserError, match=r"label values 11: labels must be trainIds 0…10 or 255"):
        read_sample(Frame(image, labels, "normal", num_classes=11))


def test_statistics_and_missing_labels_reach_the_sample(tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    write_png(image, np.zeros((2, 3, 3), np.uint8))
    frame = Frame(image, None, "normal", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    sample = read_sample(frame)
    assert (sample.mean, sample.std, sample.labels) == (frame.mean, frame.std, None)


def test_an_image_of_an_absurd_size_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "image.png", np.zeros((20, 30, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        UserError, match=r"cannot read the image .*image.png: Image size \(600 pixels\) exceeds"
    ):
        read_image(tmp_path / "image.png")
