"""The table of frames: what of it depends on the model file, and on whether frames follow each other."""

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
    with pytest.raises(UserError, match="other columns than this version writes"):
        FrameTable(path, tiny_model.card(4, 6), size, consecutive=True)
    assert path.stat().st_size == size


def masks_of(*values: int) -> list[Prediction]:
    """Frames of four pixels of which the first ones have class 1, the others 0, by how many are class 1."""
    answers = []
    for value in values:
        answer = Prediction.empty((2, 2))
        answer.mask.flat[:], answer.confidence[:] = [1] * value + [0] * (4 - value), 255
        answers.append(answer)
    return answers


def flipped_in(path: Path) -> list[str]:
    with path.open() as file:
        return [row["flipped"] for row in csv.DictReader(file)]


def test_pixels_that_change_their_class_are_counted_per_camera(tmp_path: Path) -> None:
    path, card = tmp_path / "frames.csv", tiny_model.card(2, 2)
    table = FrameTable(path, card, 0, consecutive=True)
    for number, answer in enumerate(masks_of(0, 1, 4)):
        table.add(number, 0, "/left", answer, 1.0)
        table.add(number, 0, "/right", answer if number else masks_of(1)[0], 1.0)
    assert table.flipped == pytest.approx((1 + 3 + 0 + 3) / 16)
    size = table.flush()
    table.close()
    assert flipped_in(path) == ["", "", "0.250000", "0.000000", "0.750000", "0.750000"]
    # Resumed, the next frame is compared with the last one of the run that was interrupted.
    table = FrameTable(path, card, size, consecutive=True)
    table.continue_after({"/left": masks_of(4)[0].mask})
    table.add(9, 0, "/left", masks_of(2)[0], 1.0)
    table.add(9, 0, "/right", masks_of(2)[0], 1.0)
    table.close()
    assert flipped_in(path)[-2:] == ["0.500000", ""]
