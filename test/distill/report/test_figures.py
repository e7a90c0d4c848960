"""The files of a plot, and the styles by which runs differ."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from PIL import Image

from distill.report.figures import save, slug, styles
from distill.report.runs import Run
from kd_seg_ros.common.errors import UserError

MakeRun = Callable[..., Path]


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
    with pytest.raises(UserError, match=r"cannot write .*file/x\.png: file exists"):
        save(drawn, tmp_path / "file", "x", "")


def test_runs_look_different(runs: list[Run]) -> None:
    many = [replace(runs[0], label=str(number)) for number in range(20)]
    assert len(set(styles(many).values())) == 20
