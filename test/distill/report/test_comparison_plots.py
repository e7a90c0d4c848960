"""Plots that set the runs against each other, read back from the artists; curves and speeds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Annotation

from distill.report.comparison_plots import (
    draw_epochs,
    draw_tradeoff,
    measured_speeds,
    plots_of,
    thesis_speeds,
)
from distill.report.comparisons import references
from distill.report.curves import read_curve
from distill.report.figures import styles
from distill.report.runs import Run, load_runs
from kd_seg_ros.common.errors import UserError

MakeRun = Callable[..., Path]


def test_miou_over_epochs(runs: list[Run]) -> None:
    curves = {run.label: read_curve(run.folder) for run in runs}
    axes = draw_epochs(runs, curves, styles(runs)).axes[0]
    lines: dict[Any, Any] = {line.get_label(): line.get_xydata() for line in axes.lines}
    np.testing.assert_allclose(lines["e_rn18_border (best 30.0)"], [[1, 20], [2, 30]], rtol=1e-6)
    np.testing.assert_allclose(lines["j_rn18_cwd_border (best 40.0)"], [[1, 25], [2, 40]], rtol=1e-6)
    assert len(lines) == 2


def test_one_plot_for_each_network_of_several_runs(runs: list[Run], make_run: MakeRun) -> None:
    assert list(plots_of(runs)) == [""]
    kinds = {"a": "resnet18", "b": "resnet18", "c": "resnet50", "d": "resnet50", "e": "resnet101"}
    made = load_runs([make_run(n, images={"x": 1}, student={"backbone": k}) for n, k in kinds.items()])
    found = plots_of(made)
    labels = {title: list(map(attrgetter("label"), same)) for title, same in found.items()}
    assert labels == {
        "swiftnet_resnet18": ["a", "b"],
        "swiftnet_resnet50": ["c", "d"],
        "other networks": ["e"],
    }


def test_arrows_lead_from_the_baseline_of_the_same_network(runs: list[Run]) -> None:
    values = {"e_rn18_border": 16.7, "j_rn18_cwd_border": 16.7, "other": 7.6}
    axes = draw_tradeoff(runs, values, references(runs), styles(runs), "parameters").axes[0]
    drawn: list[Any] = [line.get_xydata() for line in axes.lines]
    points = [tuple(place[0]) for place in drawn]
    assert points == [(values[run.label], 100 * run.miou) for run in runs]
    (arrow,) = [text for text in axes.texts if isinstance(text, Annotation)]
    assert arrow.xyann == pytest.approx(points[0])
    assert arrow.xy == pytest.approx(points[1])
    assert axes.get_xscale() == "linear"
    far = draw_tradeoff(runs, values | {"other": 200.0}, references(runs), styles(runs), "").axes[0]
    assert far.get_xscale() == "log"
    low, high = far.get_xlim()
    assert low < 16.7 < 200 < high


def test_speeds_of_the_thesis_and_of_a_measurement(
    runs: list[Run], make_run: MakeRun, tmp_path: Path
) -> None:
    assert thesis_speeds(runs).by_network == {"swiftnet_resnet18": 33, "pidnet_s": 114}
    narrow = load_runs([make_run("narrow", student={"backbone": "resnet18", "channels": 64})])
    assert thesis_speeds(narrow).by_network == {}
    path = tmp_path / "models.json"
    rows = [
        {
            "name": "swiftnet_resnet18",
            "cpu_onnx_ms": 250,
            "gpu_onnx_fp16_fps": None,
            "gpu_torch_fp16_fps": 50,
        },
        {"name": "pidnet_s", "cpu_onnx_ms": 100, "gpu_onnx_fp16_fps": 300, "gpu_torch_fp16_fps": 200},
        {"name": "pidnet_l", "cpu_onnx_ms": 100, "gpu_onnx_fp16_fps": None, "gpu_torch_fp16_fps": None},
    ]
    path.write_text(json.dumps(rows))
    found = measured_speeds(path, runs)
    assert (found.by_network, "PyTorch" in found.how) == ({"swiftnet_resnet18": 50, "pidnet_s": 200}, True)
    path.write_text(json.dumps([row | {"gpu_torch_fp16_fps": None} for row in rows]))
    found = measured_speeds(path, runs)
    assert (found.by_network, "CPU" in found.how) == ({"swiftnet_resnet18": 4, "pidnet_s": 10}, True)
    assert measured_speeds(path, narrow).by_network == {}
    for wrong in ("{}", "no JSON", "[]", '[{"name": "x"}]', "[1]", "[" * 100_000):
        path.write_text(wrong)
        with pytest.raises(UserError, match="is no JSON of `kd_seg benchmark"):
            measured_speeds(path, runs)
    with pytest.raises(UserError, match="cannot be read"):
        measured_speeds(tmp_path / "nothing", runs)


@pytest.mark.parametrize("value", [True, -1, 0, 1e-320, 1e308, 2**70, math.nan, math.inf, "50", [], {}])
def test_a_speed_that_nobody_can_have_measured_is_refused(
    runs: list[Run], tmp_path: Path, value: object
) -> None:
    path = tmp_path / "models.json"
    rows = [{"name": name, "cpu_onnx_ms": 100} for name in ("swiftnet_resnet18", "pidnet_s")]
    for column in ("cpu_onnx_ms", "gpu_onnx_fp16_fps"):
        path.write_text(json.dumps([rows[0] | {column: value}, rows[1]]))
        with pytest.raises(UserError, match=f"is damaged: {column} of swiftnet_resnet18 is ") as caught:
            measured_speeds(path, runs)
        assert len(str(caught.value)) < 400


def test_a_network_that_is_in_the_file_twice_is_refused(runs: list[Run], tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text(json.dumps([{"name": "pidnet_s", "cpu_onnx_ms": ms} for ms in (100, 50)]))
    with pytest.raises(UserError, match="holds a network twice"):
        measured_speeds(path, runs)
