"""The plots: what they draw is read back from the artists; every one is written as PNG and PDF."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from distill.report import epochs, plots, score_plots, tradeoff
from distill.report.comparisons import references
from distill.report.figures import save, slug, styles
from distill.report.runs import Run, load_runs
from distill.report.speeds import Speeds, measured, of_thesis
from kd_seg_ros.common.errors import UserError

MakeRun = Callable[..., Path]


def bars_of(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_files_of_a_plot(tmp_path: Path) -> None:
    drawn = Figure()
    drawn.add_subplot().plot([1, 2], [3, 4])
    plot = save(drawn, tmp_path / "new" / "folder", "A plot, of 2", "two points")
    assert plot.file == slug("A plot, of 2") == "a_plot_of_2"
    with Image.open(tmp_path / "new/folder/a_plot_of_2.png") as image:
        image.verify()
    assert (tmp_path / "new/folder/a_plot_of_2.pdf").read_bytes().startswith(b"%PDF")
    kind, _, content = plot.uri.partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert ElementTree.fromstring(base64.b64decode(content)).tag.endswith("svg")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"plot .*file/x\.png cannot be written"):
        save(drawn, tmp_path / "file", "x", "")


def test_runs_look_different(runs: list[Run]) -> None:
    many = [replace(runs[0], label=str(number)) for number in range(20)]
    assert len(set(styles(many).values())) == 20


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_resumed_runs_last_word_counts(tmp_path: Path, names: str) -> None:
    folder = tmp_path / "tensorboard"
    for name, values in zip(names, ({4: 0.2, 8: 0.3}, {8: 0.35, 12: 0.4}), strict=True):
        with SummaryWriter(str(folder)) as writer:
            for epoch, miou in values.items():
                writer.add_scalar("epoch", epoch - 1, 10 * epoch)
                writer.add_scalar("val/miou", miou, 10 * epoch)
        (written,) = (path for path in folder.iterdir() if not path.name.startswith("renamed"))
        written.rename(folder / f"renamed.tfevents.{name}")
    found = epochs.read_curve(tmp_path)
    assert [epoch for epoch, _ in found] == [4, 8, 12]
    assert [miou for _, miou in found] == pytest.approx([0.2, 0.35, 0.4])
    assert epochs.read_curve(tmp_path / "nothing") == []


def test_miou_over_epochs(runs: list[Run]) -> None:
    curves = {run.label: epochs.read_curve(run.folder) for run in runs}
    axes = epochs.draw(runs, curves, styles(runs)).axes[0]
    lines: dict[Any, Any] = {line.get_label(): line.get_xydata() for line in axes.lines}
    np.testing.assert_allclose(lines["e_rn18_border (best 30.0)"], [[1, 20], [2, 30]], rtol=1e-6)
    np.testing.assert_allclose(lines["j_rn18_cwd_border (best 40.0)"], [[1, 25], [2, 40]], rtol=1e-6)
    assert len(lines) == 2


def test_one_plot_for_each_network_of_several_runs(runs: list[Run], make_run: MakeRun) -> None:
    assert list(epochs.plots_of(runs)) == [""]
    kinds = {"a": "resnet18", "b": "resnet18", "c": "resnet50", "d": "resnet50", "e": "resnet101"}
    made = load_runs([make_run(n, images={"x": 1}, student={"backbone": k}) for n, k in kinds.items()])
    assert {title: [run.label for run in same] for title, same in epochs.plots_of(made).items()} == {
        "swiftnet_resnet18": ["a", "b"],
        "swiftnet_resnet50": ["c", "d"],
        "other networks": ["e"],
    }


def test_arrows_lead_from_the_baseline_of_the_same_network(runs: list[Run]) -> None:
    values = {"e_rn18_border": 16.7, "j_rn18_cwd_border": 16.7, "other": 7.6}
    axes = tradeoff.draw(runs, values, references(runs), styles(runs), "parameters").axes[0]
    drawn: list[Any] = [line.get_xydata() for line in axes.lines]
    points = [tuple(place[0]) for place in drawn]
    assert points == [(values[run.label], 100 * run.miou) for run in runs]
    (arrow,) = (text for text in axes.texts if isinstance(text, Annotation))
    assert arrow.xyann == pytest.approx(points[0])
    assert arrow.xy == pytest.approx(points[1])
    assert axes.get_xscale() == "linear"
    far = tradeoff.draw(runs, values | {"other": 200.0}, references(runs), styles(runs), "").axes[0]
    assert far.get_xscale() == "log"
    low, high = far.get_xlim()
    assert low < 16.7 < 200 < high


def test_speeds_of_the_thesis_and_of_a_measurement(
    runs: list[Run], make_run: MakeRun, tmp_path: Path
) -> None:
    assert of_thesis(runs).by_network == {"swiftnet_resnet18": 33, "pidnet_s": 114}
    narrow = load_runs([make_run("narrow", student={"backbone": "resnet18", "channels": 64})])
    assert of_thesis(narrow).by_network == {}
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
    found = measured(path, runs)
    assert (found.by_network, "PyTorch" in found.how) == ({"swiftnet_resnet18": 50, "pidnet_s": 200}, True)
    path.write_text(json.dumps([row | {"gpu_torch_fp16_fps": None} for row in rows]))
    found = measured(path, runs)
    assert (found.by_network, "CPU" in found.how) == ({"swiftnet_resnet18": 4, "pidnet_s": 10}, True)
    assert measured(path, narrow).by_network == {}
    for wrong in ("{}", "no JSON", "[]", '[{"name": "x"}]', "[1]"):
        path.write_text(wrong)
        with pytest.raises(UserError, match="is no JSON of `kd_seg benchmark"):
            measured(path, runs)
    with pytest.raises(UserError, match="cannot be read"):
        measured(tmp_path / "nothing", runs)


def test_reliability_diagrams_of_the_whole_and_of_each_condition(runs: list[Run]) -> None:
    run = runs[0]
    drawn = [axes for axes in score_plots.reliability(run).axes if axes.get_visible()]
    upper = {axes.get_title().partition(":")[0]: axes for axes in drawn if axes.get_title()}
    assert tuple(upper) == run.columns
    assert len(drawn) == 2 * len(upper)
    for condition, axes in upper.items():
        scores = run.scores(condition)
        assert f"ECE {100 * scores['ece']:.2f} %" in axes.get_title()
        bars = scores["reliability"]
        pairs = [p for p in zip(bars["accuracy"], bars["confidence"], strict=True) if None not in p]
        heights = [bar.get_height() for bar in bars_of(axes)]
        np.testing.assert_allclose(heights[::2], [accuracy for accuracy, _ in pairs])
        np.testing.assert_allclose(heights[1::2], [confidence - accuracy for accuracy, confidence in pairs])


def test_confusion_matrix(runs: list[Run]) -> None:
    run = runs[0]
    axes = score_plots.confusion(run).axes[0]
    table = np.array(run.scores()["confusion"], float)[:, :-1]
    shares = 100 * table / table.sum(axis=1, keepdims=True)
    shown = np.zeros_like(shares)
    for text in axes.texts:
        column, row = (int(value) for value in text.get_position())
        shown[row, column] = float(text.get_text())
    np.testing.assert_allclose(shown, np.where(shares >= 0.5, shares, 0), atol=0.51)
    assert [text.get_text() for text in axes.get_yticklabels()] == list(run.class_names)


def test_abstained_pixels_have_a_column(runs: list[Run]) -> None:
    run = runs[0]
    scores = {name: run.scores(name) for name in run.columns}
    table = np.array(scores["full"]["confusion"])
    table[0, -1] = 100
    scores["full"]["confusion"] = table.tolist()
    changed = replace(run, evaluated=replace(run.evaluated, document=run.document | {"scores": scores}))
    labels = score_plots.confusion(changed).axes[0].get_xticklabels()
    assert labels[-1].get_text() == "abstained"


def test_class_distribution(runs: list[Run]) -> None:
    axes = score_plots.class_distribution(runs[0]).axes[0]
    pixels = runs[0].images.confusion.sum(axis=(0, 2))
    np.testing.assert_allclose([bar.get_width() for bar in bars_of(axes)], pixels / pixels.sum())
    assert axes.get_xscale() == "log"


def test_all_plots_of_a_report(make_run: MakeRun, tmp_path: Path) -> None:
    made = [
        make_run("first", curve={1: 0.2, 2: 0.3}),
        make_run("second", teacher=True, curve={1: 0.3}),
        make_run("third", student={"model": "pidnet_s"}),
    ]
    runs, folder = load_runs(made), tmp_path / "plots"
    found = plots.make(runs, references(runs), runs[:2], Speeds({"pidnet_s": 100.0}, "somewhere"), folder)
    assert (len(found.epochs), len(found.tradeoff)) == (1, 2)
    assert (len(found.reliability), len(found.confusion), len(found.classes)) == (3, 2, 1)
    drawn = [*found.epochs, *found.tradeoff, *found.reliability, *found.confusion, *found.classes]
    names = {f"{plot.file}{kind}" for plot in drawn for kind in (".png", ".pdf")}
    assert {path.name for path in folder.iterdir()} == names
    assert any("not known of third" in note for note in found.notes)
    assert any("FPS lacks first, second" in note for note in found.notes)
    alone = plots.make(runs[:1], {}, [], Speeds({}, ""), folder)
    assert (alone.tradeoff, alone.notes) == ([], [])
