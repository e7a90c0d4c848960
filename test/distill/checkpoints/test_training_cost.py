"""The cost of a training, read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.checkpoints.training_cost import COST_FILE, read_cost, write_cost

EXAMPLE = {"run": "a", "images": 8, "epochs": 2, "devices": {"cpu": 1.5, "gpu": 0.5}}


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        EXAMPLE | {"images": -1},
        EXAMPLE | {"devices": {"cpu": -1.0}},
        EXAMPLE | {"devices": {"cpu": float("nan")}},
        EXAMPLE | {"epochs": "many"},
    ],
)
def test_what_cannot_be_right_is_no_cost(values: object) -> None:
    assert read_cost(values) is None


def test_seconds_are_those_of_all_devices(tmp_path: Path) -> None:
    cost = read_cost(EXAMPLE)
    assert cost is not None
    assert cost.seconds == 2.0
    write_cost(tmp_path, cost)
    assert (tmp_path / COST_FILE).is_file()
