"""Predictions for a test server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.evaluation import submission
from kd_seg_ros.common.errors import UserError


def test_class_ids_come_back_under_the_images_name(tmp_path: Path) -> None:
    image = Path("data/fog/GOPR0475_frame_000247_rgb_anon.png")
    folder = tmp_path / "new" / "out"
    submission.prepare(folder, [image])
    mask = np.random.default_rng(0).integers(0, 19, (9, 16), dtype=np.uint8)
    submission.write(folder, image, mask)
    with Image.open(folder / image.name) as written:
        assert written.mode == "L"
        np.testing.assert_array_equal(np.array(written), mask)


def test_photographs_in_jpeg_have_predictions_in_png(tmp_path: Path) -> None:
    submission.write(tmp_path, Path("a/b.jpg"), np.zeros((2, 2), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]


def test_names_must_differ(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 of the images are called a\.png"):
        submission.prepare(tmp_path / "out", [Path("x/a.png"), Path("y/a.jpg"), Path("z/b.png")])
    assert not (tmp_path / "out").exists()


def test_earlier_predictions_are_not_mixed_with_new_ones(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"")
    with pytest.raises(UserError, match="is not empty"):
        submission.prepare(tmp_path, [Path("a.png")])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        submission.prepare(tmp_path / "file" / "out", [Path("a.png")])
    with pytest.raises(UserError, match=r"cannot write .*png: file exists"):
        submission.write(tmp_path / "file", Path("a.png"), np.zeros((2, 2), np.uint8))
