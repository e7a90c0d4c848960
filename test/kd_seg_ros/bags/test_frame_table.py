"""The table of frames: domain distance and expected accuracy as far as the model file tells them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_model
from trust_entries import DOMAIN

from kd_seg_ros.bags.summary import FrameTable
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.accuracy import AccuracyEstimate
from kd_seg_ros.inference.engine import Prediction


def answer(distance: float | None = None) -> Prediction:
    found = Prediction.empty((4, 6))
    found.mask[:], found.confidence[:] = 0, 255
    return replace(found, domain_distance=distance)


@pytest.mark.parametrize("domain", [{}, DOMAIN], ids=["without", "with"])
def test_the_distance_has_a_column_where_the_file_tells_it(domain: dict[str, object], tmp_path: Path) -> None:
    table = FrameTable(tmp_path / "frames.csv", tiny_model.card(4, 6, domain=domain), 0)
    table.add(1, 0, "/camera", answer(1.25), 2.0)
    table.close()
    with (tmp_path / "frames.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row.get("domain_distance") == ("1.250000" if domain else None)
    assert (row["road"], row["unlabelled"]) == ("1.000000", "0.000000")


def test_an_accuracy_that_is_unknown_is_an_empty_cell(tmp_path: Path) -> None:
    table = FrameTable(tmp_path / "frames.csv", tiny_model.card(4, 6), 0)
    estimates = [AccuracyEstimate(0.5, "corrected"), AccuracyEstimate(None, "unknown"), None]
    for number, estimate in enumerate(estimates, 1):
        table.add(number, 0, "/camera", answer(), 2.0, estimate)
    table.close()
    with (tmp_path / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = [(row["expected_accuracy"], row["expected_accuracy_kind"]) for row in rows]
    assert found == [("0.500000", "corrected"), ("", "unknown"), ("", "")]


def test_a_table_of_other_columns_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "frames.csv"
    FrameTable(path, tiny_model.card(4, 6), 0).close()
    size = path.stat().st_size
    FrameTable(path, tiny_model.card(4, 6), size).close()
    with pytest.raises(UserError, match="other columns than this version writes: start again with --overw"):
        FrameTable(path, tiny_model.card(4, 6, domain=DOMAIN), size)
    assert path.stat().st_size == size
