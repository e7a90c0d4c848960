from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from PIL import Image

from distill.evaluation.reliability_diagram import TOO_SURE, UNSURE, draw_diagrams, write_diagrams
from kd_seg_ros.common.errors import UserError

EMPTY: dict[str, Any] = {
    "ece": None,
    "reliability": {"confidence": [None] * 3, "accuracy": [None] * 3, "share": [None] * 3},
}


def summary(accuracy: list[float | None], ece: float = 0.05) -> dict[str, Any]:
    """Scores with a mean confidence of 0.2, 0.5 and 0.9 where there is an accuracy."""
    confidence = [None if a is None else c for a, c in zip(accuracy, (0.2, 0.5, 0.9), strict=True)]
    share = [0.0 if a is None else s for a, s in zip(accuracy, (0.1, 0.2, 0.7), strict=True)]
    return {"ece": ece, "reliability": {"confidence": confidence, "accuracy": accuracy, "share": share}}


def panels(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Axes]:
    """The diagrams by title."""
    figure = draw_diagrams(before, after, "run: temperature")
    return {axes.get_title(): axes for axes in figure.get_axes() if axes.get_title()}


def rectangles(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def bars(axes: Axes) -> list[tuple[float, float, float, str]]:
    """Left edge, bottom, top and hatch of each bar."""
    return [
        (
            round(bar.get_x(), 6),
            round(min(bar.get_y(), bar.get_y() + bar.get_height()), 6),
            round(max(bar.get_y(), bar.get_y() + bar.get_height()), 6),
            bar.get_hatch() or "",
        )
        for bar in rectangles(axes)
    ]


def test_bars_are_accuracy_and_the_gap_to_the_confidence() -> None:
    found = panels({"full": summary([0.1, None, 0.95])}, {"full": summary([0.2, 0.5, 0.9], 0.0)})
    assert list(found) == ["full, before: ECE 5.00 %", "full, after: ECE 0.00 %"]
    before = found["full, before: ECE 5.00 %"]
    third = round(2 / 3, 6)
    assert bars(before) == [
        (0, 0, 0.1, ""),
        (0, 0.1, 0.2, "////"),  # too sure
        (third, 0, 0.95, ""),
        (third, 0.9, 0.95, "\\\\\\\\"),  # not sure enough
    ]
    edges = [to_hex(bar.get_edgecolor()).upper() for bar in rectangles(before)]
    assert edges[1::2] == [TOO_SURE, UNSURE]
    (diagonal,) = before.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]  # type: ignore[union-attr]


def test_one_column_a_condition_and_the_whole_alone_where_it_is_the_only_one() -> None:
    several = {"full": summary([0.1, 0.4, 0.8]), "fog": summary([0.1, 0.4, 0.8]), "night": EMPTY}
    titles = list(panels(several, several))
    assert len(titles) == 6
    assert titles[2] == "night, before: no pixels"
    assert titles[4] == "fog, after: ECE 5.00 %"
    two = {"full": summary([0.1, 0.4, 0.8]), "normal": summary([0.1, 0.4, 0.8])}
    assert len(panels(two, two)) == 2


def test_shares_are_drawn_below() -> None:
    scores = {"full": summary([0.1, None, 0.95])}
    figure = draw_diagrams(scores, scores, "run")
    below = [axes for axes in figure.get_axes() if axes.get_xlabel() == "confidence"]
    assert len(below) == 2
    for axes in below:
        assert [bar.get_height() for bar in rectangles(axes)] == [0.1, 0.0, 0.7]


def test_writes_a_picture_into_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "best.reliability.png"
    scores = {"full": summary([0.1, None, 0.95]), "fog": EMPTY, "snow": summary([0.2, 0.5, 1.0])}
    write_diagrams(path, scores, scores, "run")
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] > pixels.shape[0] > 600
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    scores = {"full": summary([0.1, None, 0.95])}
    with pytest.raises(UserError, match=r"cannot write .*reliability\.png: file exists"):
        write_diagrams(tmp_path / "file" / "best.reliability.png", scores, scores, "run")
