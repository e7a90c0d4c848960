"""The scores of a metrics.json for people: on the terminal, and as a CSV, a line per condition and class."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from distill.common.files import write_file
from distill.common.formats import percent, three_digits

_PERCENTS: Final = (
    ("miou", "mIoU [%]"),
    ("accuracy", "pixel accuracy [%]"),
    ("ece", "ECE [%]"),
    ("ece_batched16", "ECE, batches of 16 [%]"),
)
_COLUMNS: Final = ("condition", "class", "labelled_pixels", "iou", "ece_predicted", "ece_classwise", "auprc")


def print_scores(scores: dict[str, dict[str, Any]], class_names: Sequence[str]) -> None:
    """Print one column per condition: the summary, then the IoU of every class."""
    table = Table("", *scores)
    found = list(scores.values())
    for key, label in _PERCENTS:
        table.add_row(label, *[percent(values[key]) for values in found])
    if all(values["auprc"] for values in found):
        table.add_row("mean AUPRC [%]", *[percent(values["auprc"]["mean"]) for values in found])
        table.add_row("Brier score", *[three_digits(values["brier"]) for values in found])
        table.add_row("NLL (nats)", *[three_digits(values["nll"]) for values in found])
    table.add_row("images", *[str(values["images"]) for values in found])
    table.add_section()
    for name in class_names:
        table.add_row(escape(f"IoU {name}"), *[percent(values["iou"][name]) for values in found])
    Console().print(table)


def write_per_class(path: Path, document: dict[str, Any]) -> None:
    """Write per_class.csv from the content of a metrics.json; raises UserError if it cannot be written."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for condition, scores in document["scores"].items():
        classwise = (scores["ece_classwise"] or {}).get("per_class", {})
        areas = (scores["auprc"] or {}).get("per_class", {})
        for name, row in zip(document["classes"], scores["confusion"], strict=True):
            values = (
                scores["iou"][name],
                scores["ece_per_class"][name],
                classwise.get(name),
                areas.get(name),
            )
            known = ["" if value is None else value for value in values]
            writer.writerow([condition, name, sum(row), *known])
    write_file(path, text.getvalue().encode("utf-8"))
