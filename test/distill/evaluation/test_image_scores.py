"""The file of the single images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distill.evaluation.image_scores import ImageScores
from kd_seg_ros.common.errors import UserError


def scores() -> ImageScores:
    rng = np.random.default_rng(0)
    return ImageScores(
        np.array(["fog/a.png", "night/ü.png"]),
        np.array(["fog", "night"]),
        rng.integers(0, 9, (2, 3, 4)),
        rng.integers(0, 9, (2, 16)),
        rng.random((2, 16)),
        rng.integers(0, 9, (2, 16)),
    )


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "images.npz"
    scores().save(path)
    for name, array in vars(ImageScores.load(path)).items():
        np.testing.assert_array_equal(array, vars(scores())[name])


def test_some_of_the_images(tmp_path: Path) -> None:
    some = scores().only(np.array([False, True]))
    assert some.names.tolist() == ["night/ü.png"]
    assert some.count[0].sum() == scores().count[1].sum()


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    with pytest.raises(UserError, match="is missing: evaluate"):
        ImageScores.load(path)
    scores().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="is damaged"):
        ImageScores.load(path)
    np.savez(path, format=np.int64(1), names=np.array(["a"]))
    with pytest.raises(UserError, match="is damaged"):
        ImageScores.load(path)
    np.savez(path, format=np.int64(7), **vars(scores()))
    with pytest.raises(UserError, match="has version 7"):
        ImageScores.load(path)
    np.savez(path, format=np.int64(1), **(vars(scores()) | {"count": np.zeros((1, 16))}))
    with pytest.raises(UserError, match="is damaged"):
        ImageScores.load(path)
    np.savez(path, format=np.int64(1), names=np.array([{"a": "pickle"}], object))
    with pytest.raises(UserError, match="is damaged"):
        ImageScores.load(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        scores().save(tmp_path / "file" / "images.npz")
