"""``python -m distill models``: the networks that can be had by name, their size and work."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from tqdm import tqdm

from distill.models.catalogue import MODELS, Model
from distill.models.complexity import SIZE, complexity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--json", action="store_true", help="a list of objects instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print one row a network."""
    rows = [describe(m) for m in tqdm(MODELS.values(), "count", unit="model", leave=False, disable=args.json)]
    print(json.dumps(rows, indent=2) if args.json else table(rows))
    return 0


def describe(model: Model) -> dict[str, Any]:
    """Return what is known of a network."""
    thesis = model.thesis
    return {
        "name": model.name,
        "backbone": model.backbone,
        **asdict(complexity(model)),
        "thesis_name": thesis.name if thesis else None,
        "thesis_parameters": round(thesis.parameters * 1e6) if thesis else None,
        "thesis_fps": thesis.fps if thesis else None,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out for the terminal."""
    form = "{:<34}{:<25}{:>11}{:>15}{:>9}  {:<20}{:>9}"
    head = form.format(
        "model", "backbone", "parameters", "training only", "GFLOPs", "in the thesis", "there"
    ).rstrip()
    lines = [head, "-" * len(head)]
    for row in rows:
        extra = row["training_only_parameters"]
        lines.append(
            form.format(
                row["name"] + ("*" if row["parameters"] != row["deployed_parameters"] else ""),
                row["backbone"],
                _millions(row["parameters"], 3),
                _millions(extra, 3) if extra else "",
                f"{row['gflops']:.1f}",
                row["thesis_name"] or "",
                _millions(row["thesis_parameters"], 1) if row["thesis_parameters"] else "",
            ).rstrip()
        )
    lines += [
        "",
        f"GFLOPs at {SIZE[0]}×{SIZE[1]}, a multiply-add counted as two.",
        "SwiftNet over any other timm backbone with stages at strides 4, 8, 16, 32: "
        "--student.model swiftnet --student.backbone NAME",
    ]
    lines += [
        f"* counted as published, training-only heads included; the exported file holds "
        f"{_millions(row['deployed_parameters'], 3)}"
        for row in rows
        if row["parameters"] != row["deployed_parameters"]
    ]
    return "\n".join(lines)


def _millions(count: int, digits: int) -> str:
    return f"{count / 1e6:.{digits}f} M"
