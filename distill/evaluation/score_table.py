"""The scores of a metrics.json for people: on the terminal, and as a CSV, a line per condition and class."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from distill.common.files import write_file
from distill.common.formats import percent, three_digits

_PERCENTS: Final = (
    ("miou", "mIoU [%]"),
    ("accuracy", "pixel accuracy [%]"),
    ("ece", "ECE [%]"),
    ("ece_batched16", "ECE, batches of 16 [%]"),
    ("aurc", "AURC [%]"),
)
_COLUMNS: Final = ("condition", "class", "labelled_pixels", "iou", "ece_predicted", "ece_classwise", "auprc")


def print_scores(scores: dict[str, dict[str, Any]], class_names: Sequence[str]) -> None:
    """Print one column per condition: the summary, then the IoU of every class.

    Without the package rich, which a vehicle need not have, the columns are separated by tabs.
    """
    head = ["", *scores]
    summary = _summary_rows(scores)
    classes = []
    for name in class_names:
        values = [percent(of_condition["iou"][name]) for of_condition in scores.values()]
        classes.append([f"IoU {name}", *values])
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        for row in [head, *summary, *classes]:
            print("\t".join(row))
        return
    table = Table(*map(escape, head))
    for row in summary:
        table.add_row(*row)
    table.add_section()
    for label, *values in classes:
        table.add_row(escape(label), *values)
    Console().print(table)


def print_promises(promises: Sequence[Mapping[str, Any]]) -> None:
    """Print how the thresholds with a promise do, one per line; see docs/trust.md.

    :param promises: the entry ``risk`` of a metrics.json.
    """
    for entry in promises:
        above = entry["measured"] > entry["promised"]
        print(
            f"{entry['rule']} on {entry['condition']} ({entry['units']} {entry['unit']}s): "
            f"{100 * entry['measured']:.2f} % wrong where at most {100 * entry['promised']:g} % were promised"
            f"{', MORE than promised' * above}; {100 * entry['coverage']:.1f} % of the pixels kept "
            f"(confidence ≥ {entry['level'] / 255:.3f})"
        )


def print_domain(entry: Mapping[str, Any]) -> None:
    """Print how far the images are from those of calibration, one line per condition; see docs/trust.md.

    :param entry: ``domain`` of a metrics.json; empty: nothing is printed.
    """
    for condition, found in entry.get("scores", {}).items():
        print(
            f"domain distance of {condition}: median {three_digits(found['median'])}, "
            f"{percent(found['above_limit'])} % of {found['images']} images above {entry['limit']:.3f}, "
            "which 1 % of calibration's are"
        )


def _summary_rows(scores: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return label and values of the scores over all classes, one column per condition."""
    found = list(scores.values())
    rows = []
    for key, label in _PERCENTS:
        rows.append([label, *[percent(values.get(key)) for values in found]])
    if all(values["auprc"] for values in found):
        rows.append(["mean AUPRC [%]", *[percent(values["auprc"]["mean"]) for values in found]])
        rows.append(["Brier score", *[three_digits(values["brier"]) for values in found]])
        rows.append(["NLL (nats)", *[three_digits(values["nll"]) for values in found]])
    rows.append(["images", *[str(values["images"]) for values in found]])
    return rows


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
