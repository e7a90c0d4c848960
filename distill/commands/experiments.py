"""``kd_seg experiments``: lists the experiments of the thesis with its results and ours, or runs one."""

from __future__ import annotations

import argparse
import json

from lightning.pytorch.utilities import rank_zero_only

from distill.config import load_config
from distill.config.overrides import parse_overrides
from distill.experiments.results import outcome_of, table
from distill.experiments.smoke import STEPS, smoke
from distill.experiments.thesis import EXPERIMENTS, find_experiment
from distill.training.trainer import fit
from kd_seg_ros.common.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; with ``--run``, every key of the configuration is one too."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", metavar="NAME", help="train one: its letter in Table 4.6, or its name")
    what.add_argument(
        "--smoke", action="store_true", help="run all for two steps on generated scenes, keeping nothing"
    )
    parser.add_argument("--resume", action="store_true", help="with --run: continue from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="with --run: delete an earlier run")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(overrides=[])


def run(args: argparse.Namespace) -> int:
    """List the experiments, or run some."""
    if args.run:
        config = load_config(find_experiment(args.run).file, parse_overrides(args.overrides))
        best = fit(config, resume=args.resume, overwrite=args.overwrite, progress_bar=True)
        rank_zero_only(print)(f"best checkpoint: {best}")
        return 0
    if args.overrides or args.resume or args.overwrite:
        raise UserError("keys of the configuration, --resume and --overwrite belong to --run NAME")
    if args.smoke:
        smoke([experiment.file for experiment in EXPERIMENTS], progress_bar=True)
        print(f"{len(EXPERIMENTS)} experiments ran for {STEPS} steps each")
        return 0
    outcomes = [outcome_of(experiment) for experiment in EXPERIMENTS]
    if args.json:
        print(json.dumps([outcome.document() for outcome in outcomes], indent=2, ensure_ascii=False))
    else:
        print(table(outcomes))
    return 0
