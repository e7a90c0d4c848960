"""The page: one HTML file that holds all it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from distill.common.formats import percent, three_digits
from distill.common.html import render
from distill.report.galleries import Gallery
from distill.report.plots import Plots
from distill.report.runs import Run
from distill.report.table import Table, signed
from kd_seg_ros import __version__
from kd_seg_ros.common.errors import UserError


@dataclass(frozen=True)
class Page:
    """Everything that the template shows."""

    runs: Sequence[Run]
    """The baseline first."""
    references: Mapping[str, Run]
    comparable: bool
    """Whether the data are ACDC's validation split."""
    tables: Mapping[str, Sequence[Table]]
    """By section: runs, scores, iou, auprc, calibration."""
    plots: Plots
    galleries: Mapping[str, Sequence[Gallery]]
    """By section: panels, worst, mistakes, borders."""
    notes: Sequence[str]
    """What was left out, and why."""
    command: str
    """How it was made."""

    @property
    def best(self) -> Run:
        """The run of the highest mIoU."""
        return max(self.runs, key=lambda run: run.miou)


def breakable(text: str) -> Markup:
    """Let a name be broken behind its underscores and slashes."""
    return Markup(re.sub(r"(?<=[_/])", "<wbr>", str(escape(text))))


def marked(text: str) -> Markup:
    """Set what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def write(path: Path, page: Page) -> None:
    """Write the page; raises UserError if it cannot be written."""
    filters: dict[str, Callable[..., Any]] = {
        "percent": percent,
        "three_digits": three_digits,
        "signed": signed,
        "breakable": breakable,
        "marked": marked,
    }
    html = render(Path(__file__).with_name("report.html.j2"), filters, page=page, version=__version__)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise UserError(f"report {path} cannot be written: {error.strerror}") from error
