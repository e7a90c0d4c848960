"""The file of the single images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.evaluation.image_scores import ImageScores
from kd_seg_ros.common.errors import UserError


def scores() -> ImageScores:
    """Two images whose pixels by class and by confidence agree."""
    rng = np.random.default_rng(0)
    confusion = rng.integers(0, 9, (2, 3, 4))
    count, correct = np.zeros((2, 2, 16), np.int64)
    for image in range(2):
        hits = np.trace(confusion[image])
        correct[image] = rng.multinomial(hits, np.full(16, 1 / 16))
        count[image] = correct[image] + rng.multinomial(confusion[image].sum() - hits, np.full(16, 1 / 16))
    names, conditions = np.array(["fog/a.png", "night/ü.png"]), np.array(["fog", "night"])
    confidence = count * rng.random((2, 16))
    return ImageScores(names, conditions, confusion, count, confidence, correct, np.array([0.9, np.inf]))


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "images.npz"
    scores().save(path)
    for name, array in vars(ImageScores.load(path)).items():
        np.testing.assert_array_equal(array, vars(scores())[name])


def test_some_of_the_images(tmp_path: Path) -> None:
    some = scores().only(np.array([False, True]))
    assert some.names.tolist() == ["night/ü.png"]
    assert some.count[0].sum() == scores().count[1].sum()
    assert some.domain_distance is not None
    assert some.domain_distance.tolist() == [np.inf]


def test_of_a_model_without_a_domain_distance_none_is_stored(tmp_path: Path) -> None:
    plain = replace(scores(), domain_distance=None)
    plain.save(tmp_path / "images.npz")
    found = ImageScores.load(tmp_path / "images.npz")
    assert found.domain_distance is found.only(np.array([True, False])).domain_distance is None


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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("names", [[1, 2], [3, 4]], "names has the shape"),
        ("names", [b"a", b"b"], "names is of the type"),
        ("confusion", -1, "confusion holds values that are no counts"),
        ("confidence", np.nan, "confidence holds values that are no counts"),
        ("confidence", 1e6, "a confidence bin has more correct pixels, or more confidence, than pixels"),
        ("correct", 2**50, "correct holds values that are no counts"),
        ("count", 500, "pixels by class and by confidence differ"),
        ("domain_distance", [1.0], r"domain_distance is float64 \[1\]"),
        ("domain_distance", np.nan, "domain_distance holds values that are no distances"),
    ],
)
def test_tables_that_contradict_one_another_are_refused(
    tmp_path: Path, name: str, value: object, message: str
) -> None:
    tables = dict(vars(scores()))
    if isinstance(value, list):
        tables[name] = np.array(value)
    else:
        tables[name] = tables[name].copy()
        tables[name].flat[0] = value
    np.savez(tmp_path / "images.npz", format=np.int64(1), **tables)
    with pytest.raises(UserError, match=f"is damaged: {message}"):
        ImageScores.load(tmp_path / "images.npz")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        scores().save(tmp_path / "file" / "images.npz")
