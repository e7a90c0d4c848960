"""The page that says where each piece of the thesis is: what it names exists, nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path

from distill.config.shipped import shipped_configs
from distill.experiments.thesis import EXPERIMENTS
from distill.losses.catalogue import FEATURE_LOSSES, LOGIT_LOSSES
from distill.models.catalogue import MODELS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "thesis.md").read_text(encoding="utf-8")
LINES = [
    line for line in TEXT.splitlines() if line.startswith("|") and not line.endswith(("| state |", "---|"))
]
ROWS = [re.split(r" *\| *", line)[1:-1] for line in LINES]


def named(column: int) -> list[str]:
    """What a column of the tables names, without the rows that name nothing or what the row above does."""
    return [row[column].strip("`") for row in ROWS if row[column] not in ("", "the same")]


def test_every_row_has_five_cells_and_a_state() -> None:
    assert len(ROWS) > 60
    assert not [row for row in ROWS if len(row) != 5 or not row[4]]


def test_every_command_exists() -> None:
    commands = set(re.findall(r"kd_seg ([a-z-]+)", TEXT))
    assert len(commands) > 5
    folder = ROOT / "distill" / "commands"
    assert not [name for name in commands if not (folder / f"{name.replace('-', '_')}.py").is_file()]


def test_every_experiment_exists() -> None:
    assert set(named(2)) <= shipped_configs().keys()


def test_every_test_exists() -> None:
    assert not [name for name in named(3) if not (ROOT / name).is_file()]


def test_nothing_of_the_thesis_is_left_out() -> None:
    assert {experiment.name for experiment in EXPERIMENTS} <= {*re.findall(r"`(\w+)`", TEXT)}
    of_lad = {"cad", "pad"}  # named in the row of LAD
    features = [f"loss: {name}" for name in FEATURE_LOSSES if name not in of_lad]
    losses = [*(f"logits: {name}" for name in LOGIT_LOSSES), *features]
    assert not [loss for loss in losses if f"`{loss}`" not in TEXT]
    networks = [name for name, model in MODELS.items() if model.thesis is not None]
    assert not [name for name in networks if f"`{name}`" not in TEXT]
