"""``kd_seg models``: the networks that can be had by name, their size and work."""

from __future__ import annotations

import argparse
import json
from typing import Any

from distill.models.catalogue import CAMERA_SIZE, MODELS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--json", action="store_true", help="a list of objects instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print one row per network."""
    rows = [model.row() for model in MODELS.values()]
    print(json.dumps(rows, indent=2) if args.json else table(rows))
    return 0


def table(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out for the terminal.

    :param rows: of :meth:`distill.models.catalogue.Model.row`.
    """
    form = "{:<34}{:<25}{:>11}{:>15}{:>9}  {:<20}{:>9}"
    head = form.format(
        "model", "backbone", "parameters", "training only", "GFLOPs", "in the thesis", "there"
    ).rstrip()
    lines = [head, "-" * len(head)]
    notes = []
    for row in rows:
        extra = row["training_only_parameters"]
        counts_all = row["parameters"] != row["deployed_parameters"]
        line = form.format(
            row["name"] + ("*" if counts_all else ""),
            row["backbone"],
            _millions(row["parameters"], 3),
            _millions(extra, 3) if extra else "",
            f"{row['gflops']:.1f}",
            row["thesis_name"] or "",
            _millions(row["thesis_parameters"], 1) if row["thesis_parameters"] else "",
        )
        lines.append(line.rstrip())
        if counts_all:
            deployed = _millions(row["deployed_parameters"], 3)
            notes.append(
                f"* counted as published, training-only heads included; the exported file holds {deployed}"
            )
    height, width = CAMERA_SIZE
    lines += [
        "",
        f"GFLOPs at {height}×{width}, a multiply-add counted as two.",
        "SwiftNet over any other timm backbone with stages at strides 4, 8, 16, 32: "
        "--student.model swiftnet --student.backbone NAME",
        *notes,
    ]
    return "\n".join(lines)


def _millions(count: int, digits: int) -> str:
    return f"{count / 1e6:.{digits}f} M"
