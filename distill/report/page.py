"""The page: one HTML file that holds all it shows, made from evaluated runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from distill.common.files import check_destination, write_file
from distill.common.formats import error_percent, percent
from distill.common.html import render
from distill.experiments.thesis import THESIS_REMARKS
from distill.report.class_tables import auprc_tables, iou_tables
from distill.report.comparison_plots import Speeds
from distill.report.comparisons import is_acdc_val, pairs, references
from distill.report.data_table import data_table
from distill.report.domain import domain_tables
from distill.report.figures import look
from distill.report.galleries import Gallery, make_galleries, plan_galleries, wanted
from distill.report.plots import Plots, make_plots
from distill.report.predictions import predict
from distill.report.run_tables import calibration_table, cost_table
from distill.report.runs import Run, miou_of
from distill.report.tables import Table, runs_table, scores_table, signed
from kd_seg_ros import __version__


@dataclass(frozen=True)
class Page:
    """Everything that the template shows."""

    runs: Sequence[Run]
    """The runs, the baseline first."""
    references: Mapping[str, Run]
    """The run that each run is compared with, by label."""
    comparable: bool
    """Whether the data are ACDC's validation split, on which the thesis reports."""
    tables: Mapping[str, Sequence[Table]]
    """The tables by section, such as runs, scores and calibration."""
    plots: Plots
    galleries: Mapping[str, Sequence[Gallery]]
    """Pictures of single images by section: panels, worst, mistakes, borders."""
    notes: Sequence[str]
    """What was left out, and why."""
    command: str
    """The command line by which the page was made."""
    remarks: str = " ".join(THESIS_REMARKS)
    """What the thesis reports besides its validation results."""

    @property
    def best(self) -> Run:
        """The run of the highest mIoU."""
        return max(self.runs, key=miou_of)


def write_report(
    runs: Sequence[Run], speeds: Speeds, out: Path, root: Path | None, command: str, progress: bool = False
) -> Page:
    """Write report.html and the folder of its plots; return what the page shows.

    :param runs: the runs, the baseline first.
    :param speeds: frames per second of the runs' networks.
    :param out: the folder to write into.
    :param root: where the images are; None: where they were when the first run was evaluated.
    :param command: the command line, which the page quotes.
    :param progress: show a progress bar on standard error.
    :raises UserError: if a file cannot be written.
    """
    # 1. The folder first: what follows takes minutes.
    folder = out / "plots"
    check_destination(out / "report.html")
    check_destination(folder / "plot.png")

    # 2. Which runs are compared, and which images are shown of them.
    compared = references(runs)
    shown = pairs(runs, compared)
    plans = plan_galleries(runs, shown)
    predictions = predict(wanted(plans), root, progress)

    # 3. Plots and pictures, in files and for the page.
    with_confusion = [*chain.from_iterable(shown)] or runs[:1]
    with look():
        plots = make_plots(runs, compared, with_confusion, speeds, folder)
        pictures = make_galleries(plans, predictions, folder)

    # 4. Tables, and the page itself.
    comparable = is_acdc_val(runs[0])
    tables = {
        "runs": [runs_table(runs)],
        "scores": [scores_table(runs, compared, comparable)],
        "iou": iou_tables(runs, compared, comparable),
        "auprc": auprc_tables(runs, compared, comparable),
        "calibration": [calibration_table(runs)],
        "domain": domain_tables(runs),
        "data": [data_table(runs)],
        "cost": [cost_table(runs, compared)],
    }
    notes = [*predictions.notes(), *plots.notes]
    page = Page(runs, compared, comparable, tables, plots, pictures, notes, command)
    write_page(out / "report.html", page)
    return page


def write_page(path: Path, page: Page) -> None:
    """Write the page; raises UserError if it cannot be written."""
    filters: dict[str, Callable[..., Any]] = {
        "percent": percent,
        "error_percent": error_percent,
        "signed": signed,
        "breakable": breakable,
        "marked": marked,
    }
    html = render(Path(__file__).with_name("report.html.j2"), filters, page=page, version=__version__)
    write_file(path, html)


def breakable(text: str) -> Markup:
    """Let the browser break a name after its underscores and slashes."""
    return Markup(re.sub(r"(?<=[_/])", "<wbr>", str(escape(text))))


def marked(text: str) -> Markup:
    """Set what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
