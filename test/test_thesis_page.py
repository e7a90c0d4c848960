"""The page that says where each piece of the thesis is: what it names exists, nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from distill.__main__ import COMMANDS
from distill.config import Config, load_config
from distill.config.shipped import shipped_configs
from distill.experiments.smoke import smoke_files
from distill.experiments.thesis import EXPERIMENTS
from distill.losses.catalogue import FEATURE_LOSSES, LOGIT_LOSSES
from distill.models.catalogue import MODELS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "thesis.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The rows of all tables, without the backticks around a cell."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    lines = [line for line in lines if not line.endswith(("| state |", "---|"))]
    return [cells(line) for line in lines]


def cells(line: str) -> list[str]:
    return [cell.strip("` ") for cell in re.split(r" *\| *", line)[1:-1]]


SECTIONS = {part.partition("\n")[0]: rows(part) for part in TEXT.split("\n## ")}
ROWS = rows(TEXT)


def named(column: int) -> list[str]:
    """What a column of the tables names, without the rows that name nothing or what the row above does."""
    return [row[column] for row in ROWS if row[column] not in ("", "the same")]


def with_experiment(section: str) -> list[list[str]]:
    return [row for row in SECTIONS[section] if row[2] and row[1]]


def configured(name: str) -> Config:
    return load_config(shipped_configs()[name])


def test_every_row_has_five_cells_and_a_state() -> None:
    assert len(ROWS) > 60
    assert not [row for row in ROWS if len(row) != 5 or not row[4]]


def test_every_command_exists() -> None:
    commands = re.findall(r"kd_seg ([a-z-]+)", TEXT)
    assert len(set(commands)) > 5
    assert set(commands) <= COMMANDS.keys()


def test_every_experiment_exists() -> None:
    assert set(named(2)) <= shipped_configs().keys()


def test_every_experiment_is_in_the_smoke_run() -> None:
    assert set(named(2)) <= {file.stem for file in smoke_files()}


def test_every_test_exists_and_tests_the_loss_that_it_stands_for() -> None:
    assert not [name for name in named(3) if "def test_" not in (ROOT / name).read_text(encoding="utf-8")]
    for row in SECTIONS["Losses"]:
        loss = re.match("(?:loss|logits|semantic): ([a-z0-9_]+)$", row[1])
        if loss:
            assert f"{loss[1]}_loss" in (ROOT / row[3]).read_text(encoding="utf-8"), row


def test_only_l1_and_huber_have_no_experiment_of_their_own() -> None:
    without = [row[1] for row in SECTIONS["Losses"] if not row[2]]
    assert without == ["loss: l1", "loss: huber"]


@pytest.mark.parametrize("row", with_experiment("Losses"), ids=lambda row: row[2])
def test_the_experiment_of_a_loss_has_it(row: list[str]) -> None:
    objective = configured(row[2]).objective.model_dump()
    setting = yaml.safe_load(row[1])
    if setting == "objective.logits_weight":
        assert 0 < objective["logits_weight"] < 1
    elif isinstance(setting, dict):
        ((key, value),) = setting.items()
        places = [objective] if key in objective else objective["features"]
        found = [place[key] for place in places]
        if isinstance(value, dict):
            assert any(value.items() <= (sections or {}).items() for sections in found)
        elif value is True:
            assert any(found)
        else:
            assert value in found
    else:
        assert setting == "two runs"
        of_first = row[2].replace("_rn18", "_convnext_")
        assert [name for name in shipped_configs() if name.startswith(of_first)]


def test_the_experiment_of_a_network_or_data_set_has_it() -> None:
    for row in with_experiment("Networks"):
        assert configured(row[2]).student.model in re.findall(r"\w+", row[1])
    for row in with_experiment("Data sets"):
        data = configured(row[2]).data
        assert row[1] in {data.dataset, *(source.dataset for source in data.extra)}


def test_the_figures_runs_are_those_that_the_page_tells() -> None:
    for row in SECTIONS["Figures and chapters"]:
        if row[0].startswith("Figure"):
            training = configured(row[2]).training
            assert (training.epochs, training.stop_after) == (250, 50 if "4.2" in row[0] else 100)


def test_nothing_of_the_thesis_is_left_out() -> None:
    assert {experiment.name for experiment in EXPERIMENTS} <= {*re.findall(r"`(\w+)`", TEXT)}
    of_lad = {"cad", "pad"}  # named in the row of LAD
    features = [f"loss: {name}" for name in FEATURE_LOSSES if name not in of_lad]
    losses = [*(f"logits: {name}" for name in LOGIT_LOSSES), *features]
    assert not [loss for loss in losses if f"`{loss}`" not in TEXT]
    networks = [name for name, model in MODELS.items() if model.thesis is not None]
    assert not [name for name in networks if f"`{name}`" not in TEXT]
