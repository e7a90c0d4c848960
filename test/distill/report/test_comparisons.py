"""Which run each run is compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from distill.report.comparisons import by_network, pairs, references
from distill.report.runs import Run, load_runs

MakeRun = Callable[..., Path]

MNV4 = {"backbone": "mobilenetv4_conv_medium"}


def names(runs: list[Run]) -> dict[str, str]:
    return {label: run.label for label, run in references(runs).items()}


def shown(runs: list[Run]) -> list[tuple[str, str]]:
    return [(first.label, second.label) for first, second in pairs(runs, references(runs))]


def test_each_network_has_its_own_baseline(make_run: MakeRun) -> None:
    runs = load_runs(
        [
            make_run("a", student=MNV4),
            make_run("b", student=MNV4, teacher=True, skill=3.0),
            make_run("f", teacher=True, skill=2.0),
            make_run("e"),
            make_run("j", teacher=True, skill=2.5),
        ]
    )
    assert names(runs) == {"b": "a", "f": "e", "j": "e"}
    assert shown(runs) == [("a", "b"), ("e", "j")]
    assert [run.label for run in by_network(runs)["swiftnet_resnet18"]] == ["f", "e", "j"]


def test_a_network_without_a_baseline_is_compared_with_the_reports(make_run: MakeRun) -> None:
    runs = load_runs(
        [
            make_run("e"),
            make_run("j", teacher=True),
            make_run("teacher", student=MNV4, skill=4.0),
        ]
    )
    assert names(runs) == {"j": "e", "teacher": "e"}
    # The teacher is better, but j is what was distilled into the baseline's network.
    assert shown(runs) == [("e", "j")]
    only = load_runs([runs[0].folder, runs[2].folder])
    assert shown(only) == [("e", "teacher")]


def test_one_run_alone(make_run: MakeRun) -> None:
    runs = load_runs([make_run()])
    assert (references(runs), shown(runs)) == ({}, [])
