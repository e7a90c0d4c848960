"""``kd_seg experiments``: lists the experiments of the thesis with its results and ours, or runs one."""

from __future__ import annotations

import argparse

from distill.config import load_config
from distill.config.overrides import accept_overrides, parse_overrides
from distill.experiments.results import outcome_of, table
from distill.experiments.thesis import EXPERIMENTS, find_experiment
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.logs import progress_shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; with ``--run``, every key of the configuration is one too."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", metavar="EXPERIMENT", help="train one: its name, or its letter in Table 4.6")
    what.add_argument(
        "--smoke", action="store_true", help="run all for two steps on generated scenes, keeping nothing"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier run has written")
    add_json_option(parser)
    accept_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """List the experiments, or run some."""
    if args.run:
        return _train(args)
    if args.overrides or args.resume or args.overwrite:
        raise UserError("keys of the configuration, --resume and --overwrite belong to --run NAME")
    if args.smoke:
        # Imported only now, as in _train: PyTorch takes seconds to load, which the list does not need.
        from distill.experiments.smoke import STEPS, smoke, smoke_files

        files = smoke_files()
        smoke(files, progress_bar=progress_shown())
        print(f"{len(files)} experiments ran for {STEPS} steps each")
        return 0
    outcomes = [outcome_of(experiment) for experiment in EXPERIMENTS]
    if args.json:
        print_json([outcome.document() for outcome in outcomes])
    else:
        print(table(outcomes))
    return 0


def _train(args: argparse.Namespace) -> int:
    """Train the experiment of ``--run`` and print where its best checkpoint is."""
    from lightning.pytorch.utilities import rank_zero_only

    from distill.training.trainer import fit

    config = load_config(find_experiment(args.run).file, parse_overrides(args.overrides))
    best = fit(config, resume=args.resume, overwrite=args.overwrite, progress_bar=progress_shown())
    # Where several processes train, each runs this command.
    rank_zero_only(print)(f"best checkpoint: {best}")
    return 0
