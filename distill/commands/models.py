"""``kd_seg models``: the networks that can be had by name, their size and work."""

from __future__ import annotations

import argparse
from typing import Any

from kd_seg_ros.common.command_line import add_json_option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print one row per network."""
    from distill.models.catalogue import CAMERA_SIZE, MODELS

    rows = [model.row() for model in MODELS.values()]
    if args.json:
        print_json(rows)
    else:
        print(table(rows, CAMERA_SIZE))
    return 0


def table(rows: list[dict[str, Any]], camera_size: tuple[int, int]) -> str:
    """Lay the rows out for the terminal.

    :param rows: of :meth:`distill.models.catalogue.Model.row`.
    :param camera_size: height and width for which the work is counted.
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
    height, width = camera_size
    lines += [
        "",
        f"GFLOPs at {height}×{width}, a multiply-add counted as two.",
        "SwiftNet or FPN-Lite over any other timm backbone with stages at strides 4, 8, 16, 32: "
        "--student.model swiftnet (or fpn_lite) --student.backbone NAME",
        *notes,
    ]
    return "\n".join(lines)


def _millions(count: int, digits: int) -> str:
    return f"{count / 1e6:.{digits}f} M"
