"""Write docs/student.ipynb with the outputs of its cells: ``python scripts/student_notebook.py``.

The cells stand here as plain Python, which can be read, checked and changed more easily than JSON. A cell
that ends in a figure keeps it as a small PNG; what a cell prints is kept as text.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "student.ipynb"

CELLS: tuple[tuple[str, str], ...] = (
    (
        "markdown",
        """# The demo student, its confidence and its calibration

This notebook loads the student that comes with the package, shows it generated streets in four weathers, and
asks how far its confidence can be trusted. It needs `pip install '.[distill]' notebook` and no GPU, no ROS
and no data. Put another model file in the second cell to look at yours.""",
    ),
    (
        "code",
        """import matplotlib.pyplot as plt
import numpy as np

from distill.metrics.calibration import ConfidenceBins
from distill.metrics.confusion import confusion_matrix, iou_per_class
from distill.scenes.render import render_scene
from kd_seg_ros.common.share import default_model
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.legend import legend_of
from kd_seg_ros.inference.overlay import blend""",
    ),
    (
        "code",
        """engine = Engine(default_model(), provider="cpu")
card = engine.card
print(f"{card.name}: {card.parameters / 1e6:.1f} M parameters, {len(card.class_names)} classes")
print("height and width of its images:", engine.size)
print("trained on:", card.dataset)
print("limits:", card.limitations)""",
    ),
    (
        "markdown",
        """## What it sees

Each street comes with exact labels. Yellow is a high confidence, dark a low one: borders and far things are
unsure, and night more than rain.""",
    ),
    (
        "code",
        """weathers = ("fog", "night", "rain", "snow")
frames = [render_scene(100 + number, engine.size, weather) for number, weather in enumerate(weathers)]
predictions = [engine.segment(frame.rgb) for frame in frames]

legend = legend_of(card)
figure, axes = plt.subplots(2, 4, figsize=(11, 3.6), layout="constrained")
for weather, frame, found, column in zip(weathers, frames, predictions, axes.T):
    overlay = blend(frame.rgb, found.mask, card.palette, marks=legend.marks)
    column[0].imshow(legend.below(overlay, found.mask))
    column[0].set_title(weather)
    column[1].imshow(found.confidence, cmap="cividis", vmin=0, vmax=255)
for axis in axes.flat:
    axis.axis("off")""",
    ),
    (
        "markdown",
        """## How right it is

The intersection over union of each class, over these four streets. Classes that do not occur are left
out.""",
    ),
    (
        "code",
        """matrix = np.zeros((19, 20), np.int64)
for frame, found in zip(frames, predictions):
    matrix += confusion_matrix(frame.labels, found.mask, 19)
ious = iou_per_class(matrix)
for name, iou in zip(card.class_names, ious):
    if matrix[card.class_names.index(name)].sum():
        print(f"{name:15s}{100 * iou:5.1f} %  {'#' * int(30 * iou)}")""",
    ),
    (
        "markdown",
        """## Is the confidence true?

Pixels are sorted into bins by their confidence. In a perfectly calibrated network the share of right pixels
in a bin is its confidence: the bars end on the diagonal. The expected calibration error (ECE) is the mean
distance, weighed by the number of pixels. Bars above the diagonal: the network is more often right than it
says.""",
    ),
    (
        "code",
        """bins = ConfidenceBins(15)
for frame, found in zip(frames, predictions):
    known = frame.labels != 255
    bins.update(found.confidence[known] / 255, (found.mask == frame.labels)[known])

accuracy = bins.reliability().accuracy
figure, axis = plt.subplots(figsize=(3.6, 3.4), layout="constrained")
axis.bar((np.arange(15) + 0.5) / 15, accuracy, width=1 / 16)
axis.plot([0, 1], [0, 1], "k--", linewidth=1)
axis.set(xlabel="confidence", ylabel="share of right pixels", title=f"ECE {100 * bins.ece():.1f} %")
print(f"on its calibration's held-out images: {100 * card.ece_before['full']:.1f} % before calibration, "
      f"{100 * card.ece_after['full']:.1f} % after")""",
    ),
    (
        "markdown",
        """Four images are few: run more seeds, and the ECE comes closer to the card's.

## Leaving out what it is not sure of

With a threshold, unsure pixels are unlabelled. The fewer pixels are kept, the fewer of them are wrong.""",
    ),
    (
        "code",
        """labels = np.stack([frame.labels for frame in frames])
masks = np.stack([found.mask for found in predictions])
confidence = np.stack([found.confidence for found in predictions])[labels != 255]
wrong = (masks != labels)[labels != 255]
for threshold in (0, 0.5, 0.8, 0.9, 0.95):
    kept = confidence >= 255 * threshold
    share, errors = 100 * kept.mean(), 100 * wrong[kept].mean()
    print(f"confidence {threshold:4.2f} and more: {share:5.1f} % of the pixels, {errors:4.1f} % wrong")""",
    ),
    (
        "markdown",
        """`kd_seg calibrate --risk road=0.01` finds such a threshold with a promise, on images held out; see
[trust.md](trust.md).""",
    ),
)


def main() -> None:
    """Run the cells and write the notebook."""
    matplotlib.use("agg")
    NOTEBOOK.write_text(json.dumps(notebook(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {NOTEBOOK}")


def notebook() -> dict[str, Any]:
    """Return the notebook in Jupyter's format 4.5, with the outputs of its cells."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells: list[dict[str, Any]] = []
    count = 0
    for number, (kind, text) in enumerate(CELLS):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
        cell["source"] = text.splitlines(keepends=True)
        if kind == "code":
            count += 1
            cell |= {"execution_count": count, "outputs": outputs(text, names)}
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def outputs(code: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell; return what it prints, and the figures that it draws.

    :param names: the names of the cells before, to which this one adds its own.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, NOTEBOOK.name, "exec"), names)
    found: list[dict[str, Any]] = []
    if printed.getvalue():
        found.append(
            {"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(keepends=True)}
        )
    for number in plt.get_fignums():
        png = io.BytesIO()
        plt.figure(number).savefig(png, format="png", dpi=80)
        image = base64.b64encode(png.getvalue()).decode("ascii")
        found.append({"data": {"image/png": image}, "metadata": {}, "output_type": "display_data"})
    plt.close("all")
    return found


if __name__ == "__main__":
    main()
