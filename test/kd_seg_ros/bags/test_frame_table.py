"""The table of frames has the domain distance where the model file tells it, and no such column elsewhere."""

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
