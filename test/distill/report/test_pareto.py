"""The plot of accuracy against cost: its front, its points, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.config import load_config
from distill.models.catalogue import MODELS
from distill.report.pareto import pareto_front, write_pareto
from distill.report.runs import Run, load_runs
from kd_seg_ros.common.errors import UserError

NETWORKS = (
    "swiftnet_resnet18",
    "swiftnet_mobilenetv4_conv_medium",
    "pidnet_s",
    "fpn_lite_small",
    "fpn_lite_nano",
)
"""Those that scripts/pareto.sh trains."""


def speeds(path: Path, **columns: float) -> Path:
    path.write_text(json.dumps([{"name": name, "cpu_onnx_ms": 50.0, **columns} for name in NETWORKS]))
    return path


def test_only_points_that_no_other_one_beats_are_on_the_front() -> None:
    assert pareto_front([(3, 70), (1, 50), (2, 40), (1, 45), (4, 70), (5, 71)]) == [(1, 50), (3, 70), (5, 71)]
    assert pareto_front([(2, 10)]) == [(2, 10)]


def test_the_plot_is_one_svg_with_both_costs(tmp_path: Path, make_run: Callable[..., Path]) -> None:
    student = {"backbone": "resnet18"}
    runs = load_runs([make_run(name, images={"x": 1}, student=student) for name in ("first", "second")])
    out = tmp_path / "pareto.svg"
    write_pareto(runs, speeds(tmp_path / "speeds.json", gflops=94.0), out)
    drawn = out.read_text(encoding="utf-8")
    assert drawn.count("<svg") == 1
    for words in ("mIoU [%]", "CPU time", "GFLOPs", "first:", "second:"):
        assert words in drawn  # matplotlib writes each text as a comment next to its outlines


def test_a_network_that_was_not_measured_is_named(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has not measured the network of e_rn18_border"):
        write_pareto(runs, speeds(tmp_path / "speeds.json"), tmp_path / "pareto.svg")
    with pytest.raises(UserError, match=r"pareto\.png must end in \.svg"):
        write_pareto(runs, tmp_path / "speeds.json", tmp_path / "pareto.png")


def test_the_networks_of_the_plot_differ_in_nothing_but_themselves() -> None:
    configs = [load_config(f"pareto_{name}") for name in NETWORKS]
    for name, config in zip(NETWORKS, configs, strict=True):
        assert config.student.model == name in MODELS
        assert config.training == configs[0].training
        assert config.data == configs[0].data
        assert config.teacher is None
    script = Path(__file__).parents[3] / "scripts" / "pareto.sh"
    assert f"networks=({' '.join(NETWORKS)})" in script.read_text(encoding="utf-8")
