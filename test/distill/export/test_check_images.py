"""The images that an exported file is checked on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_png

from distill.export.check_images import altered_images, common_size, noise_images, plain_images
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


def test_altered_images_are_dark_faint_blocky_and_bright() -> None:
    """Compared with the images that they are made of, in the order of the kinds."""
    originals = [image for image, _ in noise_images((64, 96), 4)]
    found = altered_images([(image, None) for image in originals])
    assert [*found] == ["dark", "faint", "blocks", "bright"]
    dark, faint, blocks, bright = [image.astype(float) for image in found.values()]
    assert dark.mean() < 0.2 * originals[0].mean()
    assert np.abs(np.diff(dark, axis=1)).mean() > 2, "the noise of a sensor"
    assert faint.std() == pytest.approx(originals[1].std() / 6, rel=0.05)
    # Steps between blocks of 8 columns are larger than those inside them.
    steps = np.abs(np.diff(blocks, axis=1)).mean(axis=(0, 2))
    assert steps[7::8].mean() > 1.5 * np.delete(steps, np.arange(7, 95, 8)).mean()
    assert (bright == 255).mean() > 0.5
    again = altered_images([(image, None) for image in originals])
    for kind, image in found.items():
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, again[kind])


def test_one_image_is_enough_for_all_kinds() -> None:
    assert len(altered_images(noise_images((20, 30), 1))) == 4
