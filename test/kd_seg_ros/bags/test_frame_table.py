"""The columns of the table of frames that are not always there."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_model

from kd_seg_ros.bags.summary import FrameTable
from kd_seg_ros.inference.engine import Prediction

DOMAIN = {
    "quantiles": {"50": 1.0, "95": 1.2, "99": 1.5, "99.9": 2.0},
    "images": 9,
    "method": "",
    "source": "",
}


@pytest.mark.parametrize("domain", [{}, DOMAIN], ids=["without", "with"])
def test_the_distance_has_a_column_where_the_file_tells_it(domain: dict[str, object], tmp_path: Path) -> None:
    table = FrameTable(tmp_path / "frames.csv", tiny_model.card(4, 6, domain=domain), 0)
    answer = Prediction.empty((4, 6))
    answer.mask[:], answer.confidence[:] = 0, 255
    table.add(1, 0, "/camera", replace(answer, domain_distance=1.25), 2.0)
    table.close()
    with (tmp_path / "frames.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row.get("domain_distance") == ("1.250000" if domain else None)
    assert (row["road"], row["unlabelled"]) == ("1.000000", "0.000000")


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


def test_a_table_that_was_begun_without_the_column_is_continued_without(tmp_path: Path) -> None:
    path, card = tmp_path / "frames.csv", tiny_model.card(2, 2)
    table = FrameTable(path, card, 0)
    table.add(0, 0, "/left", masks_of(1)[0], 1.0)
    size = table.flush()
    table.close()
    table = FrameTable(path, card, size, consecutive=True)
    table.add(1, 0, "/left", masks_of(2)[0], 1.0)
    table.close()
    assert table.flipped is None
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["road"] for row in rows] == ["0.750000", "0.500000"]
