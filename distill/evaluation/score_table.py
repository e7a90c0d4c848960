"""The scores of a metrics.json for people: on the terminal, and as a CSV, a line per condition and class."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.common.formats import percent, three_digits
from kd_seg_ros.common.errors import UserError


def print_scores(scores: dict[str, dict[str, Any]], class_names: Sequence[str]) -> None:
    """Print one column per condition: the summary, then the IoU of every class.

    Without the package rich the columns are separated by tabs.
    """
    rows = _rows(scores)
    classes = [[f"IoU {name}", *(percent(s["iou"][name]) for s in scores.values())] for name in class_names]
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:  # a vehicle's bags are scored without it
        for row in [["", *scores], *rows, *classes]:
            print("\t".join(row))
        return
    table = Table("", *scores)
    for row in rows:
        table.add_row(*row)
    table.add_section()
    for label, *values in classes:
        table.add_row(escape(label), *values)
    Console().print(table)


def _rows(scores: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return label and values of the summary, a column per condition."""
    shares = {
        "miou": "mIoU [%]",
        "accuracy": "pixel accuracy [%]",
        "ece": "ECE [%]",
        "ece_batched16": "ECE, batches of 16 [%]",
    }
    rows = [[label, *(percent(s[key]) for s in scores.values())] for key, label in shares.items()]
    if all(s["auprc"] for s in scores.values()):
        rows.append(["mean AUPRC [%]", *(percent(s["auprc"]["mean"]) for s in scores.values())])
        rows.append(["Brier score", *(three_digits(s["brier"]) for s in scores.values())])
        rows.append(["NLL (nats)", *(three_digits(s["nll"]) for s in scores.values())])
    rows.append(["images", *(str(s["images"]) for s in scores.values())])
    return rows


def write_per_class(path: Path, document: dict[str, Any]) -> None:
    """Write per_class.csv from the content of a metrics.json; raises UserError where that is not possible."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["condition", "class", "labelled_pixels", "iou", "ece_predicted", "ece_classwise", "auprc"]
            )
            for condition, scores in document["scores"].items():
                classwise, areas = (
                    (scores[key] or {}).get("per_class", {}) for key in ("ece_classwise", "auprc")
                )
                for name, row in zip(document["classes"], scores["confusion"], strict=True):
                    values = (
                        scores["iou"][name],
                        scores["ece_per_class"][name],
                        classwise.get(name),
                        areas.get(name),
                    )
                    writer.writerow([condition, name, sum(row), *("" if v is None else v for v in values)])
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
