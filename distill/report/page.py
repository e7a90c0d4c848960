"""The page: one HTML file that holds all it shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from distill.report.galleries import Gallery
from distill.report.plots import Plots
from distill.report.runs import Run
from distill.report.table import Table, percent, signed, three_digits
from kd_seg_ros import __version__
from kd_seg_ros.errors import UserError


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
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "three_digits": three_digits,
        "signed": signed,
        "breakable": breakable,
        "marked": marked,
    }
    html = environment.get_template("report.html.j2").render(page=page, version=__version__)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise UserError(f"report {path} cannot be written: {error.strerror}") from error
