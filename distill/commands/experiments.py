"""``kd_seg experiments``: lists the experiments of the thesis with its results and ours, or runs some.

It also runs this project's own experiments on whether distillation pays, docs/experiments.md, and prints
their tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from distill.config import load_config
from distill.config.overrides import accept_overrides, parse_overrides
from distill.experiments.results import outcome_of, table
from distill.experiments.study import STUDIES, Arm, Regime
from distill.experiments.thesis import EXPERIMENTS, find_experiment
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.logs import progress_shown
from kd_seg_ros.common.option_types import whole, workers
from kd_seg_ros.common.suggest import did_you_mean


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; with ``--run``, every key of the configuration is one too."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--run",
        metavar="EXPERIMENT",
        help="train one of the thesis: its name, or its letter in Table 4.6; or all that is missing of "
        f"docs/experiments.md: {', '.join(STUDIES)}",
    )
    what.add_argument(
        "--table", metavar="STUDY", choices=STUDIES, help="print what is there of docs/experiments.md"
    )
    what.add_argument(
        "--smoke", action="store_true", help="run all for two steps on generated scenes, keeping nothing"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier run has written")
    study = parser.add_argument_group("docs/experiments.md, where finished runs are kept and others resumed")
    study.add_argument(
        "--student-seeds",
        type=whole,
        nargs="+",
        metavar="N",
        help="seeds of the students (default: 0 1 2 3 4; of a table: all that are there)",
    )
    study.add_argument(
        "--arms", nargs="+", metavar="NAME", help="train these configurations only (default: all)"
    )
    study.add_argument(
        "--processes",
        type=workers,
        default=1,
        metavar="N",
        help="train this many students at a time, which share the CPU's threads (default: 1); two small ones "
        "on two cores are done sooner than one after the other",
    )
    study.add_argument(
        "--write", type=Path, metavar="FILE", help="put the tables between the marks of this document"
    )
    add_json_option(parser)
    accept_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """List the experiments, or run some."""
    studied = args.table or (args.run if args.run in STUDIES else None)
    if studied is not None:
        return _study(args, studied)
    if args.student_seeds or args.arms or args.write or args.processes > 1:
        raise UserError(
            "--student-seeds, --arms, --processes and --write belong to --run and --table of "
            f"{', '.join(STUDIES)}"
        )
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


def _study(args: argparse.Namespace, name: str) -> int:
    """Train what is missing of a study, unless only its table is asked for, and print its tables."""
    # Imported only now, as in _train.
    from distill.benchmarks.timing import torch_machine
    from distill.experiments.parallel_study import run_seeds
    from distill.experiments.study_run import check_overrides
    from distill.experiments.study_table import document, markdown, rows_of
    from kd_seg_ros.benchmark.marks import write_between_marks

    if args.resume or args.overwrite:
        raise UserError(f"--run {name} resumes by itself; to run an arm again, delete its folder")
    overrides = parse_overrides(args.overrides)
    check_overrides(overrides)
    seeds = list(dict.fromkeys(args.student_seeds or range(5)))
    regimes = STUDIES[name]
    wanted = {regime: _chosen(regimes, regime, args.arms) for regime in regimes}
    for regime, arms in wanted.items():
        if args.run and arms:
            run_seeds(regime, arms, seeds, overrides, processes=args.processes, progress_bar=progress_shown())
    shown = args.student_seeds if args.table else None  # a table after training leaves no earlier seed out
    rows = {regime.name: rows_of(regime, shown, overrides) for regime in regimes}
    if args.json:
        print_json({regime: document(found) for regime, found in rows.items()})
    for regime in regimes if not args.json else ():
        print(f"{regime.title}:\n\n{markdown(rows[regime.name])}\n")
    for regime in regimes if args.write else ():
        measured = f"Measured on: {torch_machine()}."
        write_between_marks(args.write, regime.name, f"{markdown(rows[regime.name])}\n\n{measured}")
    return 0


def _chosen(regimes: Sequence[Regime], regime: Regime, names: Sequence[str] | None) -> list[Arm]:
    """Return the arms of a regime that ``--arms`` names, or all of them.

    :param regimes: all regimes of the study; a name must be that of an arm of one of them.
    :raises UserError: for a name of none, with the nearest one.
    """
    known = [arm.config for each in regimes for arm in each.arms]
    for name in names or ():
        if name not in known:
            raise UserError(f"--arms {name}: there is no such arm{did_you_mean(name, known)}")
    return [arm for arm in regime.arms if names is None or arm.config in names]
