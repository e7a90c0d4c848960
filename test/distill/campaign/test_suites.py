"""A few cases of every suite of the offline half; `kd_seg fuzz` tries thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.campaign import checkpoints, class_maps, configurations, data_trees, metrics
from distill.campaign.odd_archives import EXECUTED
from distill.commands.fuzz import SUITES
from kd_seg_ros.campaign.case import Suite, load_suite
from kd_seg_ros.campaign.outcome import Outcome


@pytest.mark.parametrize("suite", [data_trees, class_maps, configurations, metrics, checkpoints])
def test_a_part_of_the_cases_ends_well(suite: Suite, tmp_path: Path) -> None:
    names = suite.names()
    for number, name in enumerate(names[:: max(1, len(names) // 8)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        verdict = suite.try_case(name, 1000 + number, folder)
        assert verdict.outcome.good, (name, verdict)


@pytest.mark.parametrize(
    ("suite", "name"), [(data_trees, "whole"), (metrics, "whole"), (configurations, "right")]
)
def test_the_undamaged_one_is_taken(suite: Suite, name: str, tmp_path: Path) -> None:
    assert suite.try_case(name, 1, tmp_path).outcome is Outcome.RIGHT


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    assert data_trees.try_case("named pipe", 1, tmp_path).outcome is Outcome.CLEAR_ERROR


@pytest.mark.parametrize("name", ["code in a pickle", "code in a checkpoint", "weights: code"])
def test_code_in_a_checkpoint_is_not_run(name: str, tmp_path: Path) -> None:
    assert checkpoints.try_case(name, 1, tmp_path).outcome is Outcome.CLEAR_ERROR
    assert not EXECUTED.exists()


def test_every_suite_names_its_cases() -> None:
    for module in SUITES.values():
        names = load_suite(module).names()
        assert len(names) == len(set(names)) > 5
