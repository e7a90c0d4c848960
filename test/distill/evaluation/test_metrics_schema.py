"""Every damaged value of a metrics.json ends in one line, or changes nothing that is read."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluated import write_run
from hypothesis import given
from hypothesis import strategies as st

from distill.evaluation.metrics_schema import check_document
from kd_seg_ros.common.errors import UserError

ODD: tuple[Any, ...] = (None, True, -1, 2**70, 1e308, "", "x", [], {}, [[]], {"a": None}, 0.5)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = write_run(tmp_path_factory.mktemp("run") / "run")
    content: dict[str, Any] = json.loads((folder / "best.metrics.json").read_text())
    return content


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all values inside a document, outer ones first."""
    found = [place] if place else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*place, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*place, number))
    return found


def put(document: dict[str, Any], place: tuple[Any, ...], value: object) -> dict[str, Any]:
    """Return a copy of a document with another value at a place."""
    changed = copy.deepcopy(document)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


def test_a_good_document_passes(document: dict[str, Any]) -> None:
    check_document(Path("metrics.json"), document)


@given(data=st.data())
def test_a_damaged_value_is_one_line(document: dict[str, Any], data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(places(document)))
    changed = put(document, place, data.draw(st.sampled_from(ODD)))
    try:
        check_document(Path("metrics.json"), changed)
    except UserError as error:
        message = str(error)
    else:
        return
    assert "\n" not in message
    assert message.startswith("metrics.json is damaged: ")


@given(data=st.data())
def test_no_count_of_the_confusion_changes_unseen(document: dict[str, Any], data: st.DataObject) -> None:
    condition = data.draw(st.sampled_from(sorted(document["scores"])))
    row, column = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 3))
    before = document["scores"][condition]["confusion"][row][column]
    value = data.draw(st.integers(0, 200).filter(lambda number: number != before))
    with pytest.raises(UserError, match=f"scores.{condition}: pixels is"):
        check_document(
            Path("metrics.json"), put(document, ("scores", condition, "confusion", row, column), value)
        )


@pytest.mark.parametrize("key", ["miou", "accuracy"])
def test_a_share_that_the_confusion_does_not_give_is_refused(document: dict[str, Any], key: str) -> None:
    matrix = np.array(document["scores"]["full"]["confusion"])[:, :3]
    hits = np.diag(matrix)
    expected = {
        "miou": np.mean(hits / (matrix.sum(0) + matrix.sum(1) - hits)),
        "accuracy": hits.sum() / matrix.sum(),
    }
    assert document["scores"]["full"][key] == pytest.approx(expected[key], abs=1e-12)
    with pytest.raises(UserError, match=f"scores.full: {key} is 0.5, the confusion matrix gives 0"):
        check_document(Path("metrics.json"), put(document, ("scores", "full", key), 0.5))


def test_the_place_and_the_value_are_named(document: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"scores\.fog\.nll is \[\]: "):
        check_document(Path("m.json"), put(document, ("scores", "fog", "nll"), []))
    with pytest.raises(UserError, match=r"model\.sha256 is 'x': string should match"):
        check_document(Path("m.json"), put(document, ("model", "sha256"), "x"))
