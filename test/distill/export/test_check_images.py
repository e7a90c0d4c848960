"""The images that an exported file is checked on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_png

from distill.export.check_images import common_size, noise_images, plain_images
from kd_seg_ros.common.errors import UserError


def test_noise_has_the_size_and_is_the_same_each_time() -> None:
    first, second = noise_images((60, 90), 2), noise_images((60, 90), 2)
    assert [image.shape for image, _ in first] == [(60, 90, 3)] * 2
    assert all(labels is None for _, labels in first)
    for (image, _), (again, _) in zip(first, second, strict=True):
        np.testing.assert_array_equal(image, again)
    assert (first[0][0] != first[1][0]).any()


def test_a_folder_is_read_in_the_order_of_its_names_up_to_the_limit(tmp_path: Path) -> None:
    for value, name in ((1, "b.png"), (2, "a.png"), (3, "sub/c.png")):
        write_png(tmp_path / name, np.full((4, 6, 3), value, np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    assert [int(image[0, 0, 0]) for image, _ in plain_images(tmp_path, 2)] == [2, 1]
    assert len(plain_images(tmp_path, 9)) == 3


def test_what_holds_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--images .* holds no image \(\.png"):
        plain_images(tmp_path, 1)
    with pytest.raises(UserError, match=r"--images .*nowhere is not a folder"):
        plain_images(tmp_path / "nowhere", 1)


def test_the_size_of_most_images() -> None:
    pairs = [(np.zeros((*size, 3), np.uint8), None) for size in ((4, 6), (3, 3), (3, 3), (4, 6), (9, 9))]
    assert common_size(pairs) == (4, 6)
    assert common_size(pairs[1:3]) == (3, 3)
