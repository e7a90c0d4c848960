"""``python -m distill experiments``: the thesis' experiments, with its numbers beside ours."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from distill.config import load_config
from distill.config.overrides import parse_overrides
from distill.experiments.smoke import smoke
from distill.experiments.thesis import EXPERIMENTS, Experiment
from distill.training.trainer import fit
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.share import share_path
from kd_seg_ros.common.suggest import did_you_mean

COLUMNS = ("full", "fog", "night", "rain", "snow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; with ``--run``, every key of the configuration is one too."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", metavar="NAME", help="train one: its letter in Table 4.6, or its name")
    what.add_argument(
        "--smoke", action="store_true", help="run all for two steps on generated scenes, keeping nothing"
    )
    parser.add_argument("--resume", action="store_true", help="with --run: continue from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="with --run: delete an earlier run")
    parser.set_defaults(overrides=[])


def run(args: argparse.Namespace) -> int:
    """List the experiments, or run some."""
    if args.run:
        config = load_config(config_file(find(args.run)), parse_overrides(args.overrides))
        best = fit(config, resume=args.resume, overwrite=args.overwrite, progress_bar=True)
        rank_zero_only(print)(f"best checkpoint: {best}")
        return 0
    if args.overrides or args.resume or args.overwrite:
        raise UserError("keys of the configuration, --resume and --overwrite belong to --run NAME")
    if args.smoke:
        smoke([config_file(experiment) for experiment in EXPERIMENTS])
        return 0
    print(table([row(experiment) for experiment in EXPERIMENTS]))
    return 0


def find(name: str) -> Experiment:
    """Find an experiment by its letter in Table 4.6 or its name.

    :raises UserError: naming the nearest.
    """
    for experiment in EXPERIMENTS:
        if name.lower() == experiment.config or experiment.where == f"Table 4.6 {name.upper()}":
            return experiment
    known = [experiment.config for experiment in EXPERIMENTS]
    advice = did_you_mean(name, known, 3) or f"; there are {', '.join(known)}"
    raise UserError(f"unknown experiment {name!r}{advice} (or a letter, A to J)")


def config_file(experiment: Experiment) -> Path:
    """Return an experiment's file."""
    return share_path(f"config/distill/{experiment.config}.yaml")


def row(experiment: Experiment) -> dict[str, Any]:
    """Collect what the thesis reports and, where there is a scored run, what ours reached."""
    config = load_config(config_file(experiment))
    scores = config.run_folder / "best.metrics.json"
    try:
        ours = json.loads(scores.read_text(encoding="utf-8"))["scores"]
    except (OSError, ValueError, KeyError):
        ours = {}
    return {"experiment": experiment, "epochs": config.training.epochs, "ours": ours}


def table(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out: mIoU in percent, a second line for a run of ours."""
    form = "{:<35}{:<13}{:>7}" + "{:>7}" * len(COLUMNS) + "{:>9}"
    head = form.format("experiment", "thesis", "epochs", *COLUMNS, "ECE")
    lines = [head, "-" * len(head)]
    for values in rows:
        experiment, ours = values["experiment"], values["ours"]
        result = experiment.result
        reported = [f"{getattr(result, c):.1f}" if result else "" for c in COLUMNS]
        ece = f"{result.ece:.3f}" if result and result.ece is not None else ""
        line = form.format(experiment.config, experiment.where, values["epochs"], *reported, ece)
        lines.append(line.rstrip())
        if ours:
            reached = [_percent(ours.get(c, {}).get("miou")) for c in COLUMNS]
            batched = ours.get("full", {}).get("ece_batched16")
            ece = "" if batched is None else f"{batched:.3f}"
            lines.append(form.format("", "ours", "", *reached, ece).rstrip())
    lines += [
        "",
        "mIoU in percent on ACDC's validation split; ECE as the thesis averages it, over batches of 16.",
        "Train one with",
        "  python -m distill experiments --run J --data.root data/acdc",
    ]
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
