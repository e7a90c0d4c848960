"""``python -m distill fit``: train a student by its YAML file."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
import yaml
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException

from distill.checkpoints.lightning_io import (
    LAST,
    PREVIOUS,
    AtomicCheckpointIO,
    checkpoint_to_resume,
    epochs_done,
)
from distill.checkpoints.student import build_network
from distill.config import Config, load_config
from distill.models.sync_batch_norm import synchronise_batch_norms
from distill.teachers.configured import load_teacher
from distill.training.data_module import SegmentationData
from distill.training.distillation import Distillation
from distill.training.resume import changes, check_left, remedy
from distill.training.teacher_cache import check_unvaried, open_cache
from kd_seg_ros.common.errors import UserError, first_line

say = rank_zero_only(print)
"""Print, in the first of several processes alone."""


class ProgressBar(TQDMProgressBar):
    """Lightning's progress bar without its abbreviated logger version."""

    def get_metrics(self, *args: Any, **kwargs: Any) -> Any:
        """Leave out what says nothing here."""
        metrics = super().get_metrics(*args, **kwargs)
        metrics.pop("v_num", None)
        return metrics

    def on_exception(self, *args: Any, **kwargs: Any) -> None:
        """End the bar's line, so that the error stands on one of its own."""
        super().on_exception(*args, **kwargs)
        if self._train_progress_bar is not None:
            self._train_progress_bar.close()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; every key of the configuration is one too."""
    parser.add_argument(
        "--config", type=Path, required=True, help="experiment, e.g. config/distill/NAME.yaml"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="delete the earlier run in its folder")
    parser.add_argument(
        "--cache-teacher",
        type=Path,
        metavar="DIR",
        help="keep the teacher's outputs here (short for --teacher.cache); for images that are not augmented",
    )
    parser.set_defaults(overrides=[])
    parser.epilog = (
        "Any key of the configuration can be given too, and wins over the file: "
        "--data.root DIR --training.epochs 3"
    )


def run(args: argparse.Namespace) -> int:
    """Train and print where the checkpoints are."""
    overrides = parse_overrides(args.overrides)
    if args.cache_teacher is not None:
        overrides["teacher.cache"] = str(args.cache_teacher)
    config = load_config(args.config, overrides)
    best = fit(config, resume=args.resume, overwrite=args.overwrite)
    say(f"best checkpoint: {best}")
    return 0


def parse_overrides(arguments: list[str]) -> dict[str, Any]:
    """Parse ``--key value`` and ``--key=value`` pairs; values are read as YAML."""
    values: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        key, equals, value = argument.partition("=")
        if not key.startswith("--"):
            raise UserError(f"unexpected argument {argument!r}; options look like --key value")
        if not equals:
            following = next(rest, None)
            if following is None:
                raise UserError(f"option {key} needs a value")
            value = following
        try:
            values[key[2:]] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"option {key}: {value!r} is not a YAML value") from error
    return values


def fit(config: Config, resume: bool = False, overwrite: bool = False) -> Path:
    """Run one experiment; return the path of its best checkpoint by validation mIoU.

    :raises UserError: for data, weights or a run folder that cannot be used.
    :raises SystemExit: as a shell would report SIGTERM or Ctrl-C, after saying how to go on.
    """
    quieten()
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    teacher = load_teacher(config)
    student = build_network(config.student, len(config.data.class_names)).to(
        memory_format=torch.channels_last
    )
    data = SegmentationData(config)
    best, last = _checkpoints(config)
    batches = data.images // config.training.batch_size
    trainer = make_trainer(config, [*_callbacks(config), best, last], batches)
    data.check_processes(trainer.world_size)
    if trainer.world_size > 1 and config.training.sync_batchnorm:
        student = synchronise_batch_norms(student, trainer.strategy.root_device.type)
    cache = None
    if config.teacher is not None and config.teacher.cache is not None:
        check_unvaried(config.data, data.training)
        cache = open_cache(config)
    module = Distillation(config, student, teacher, cache)
    if config.training.compile:
        module.compile_networks()

    # Only now: a mistake above must not cost the run that is to be overwritten.
    resumed = None
    if resume:
        resumed = checkpoint_to_resume(config.run_folder)
        data.epochs_done = epochs_done(resumed)
        check_left(resumed, data.epochs_done, config.training.epochs)
        for change in changes(config):
            say(f"warning: not as the run was started: {change}", file=sys.stderr)
    if trainer.is_global_zero:
        if not resume:
            _prepare_folder(config.run_folder, overwrite)
        _announce(config, module, data, trainer.world_size)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resumed, weights_only=True)
    except SystemExit as end:  # what Lightning makes of SIGTERM and Ctrl-C, with status 0 and 1
        number = signal.SIGTERM if isinstance(end, SIGTERMException) else signal.SIGINT
        saved = (config.run_folder / LAST).is_file()
        then = f"--resume goes on from {LAST}" if saved else "nothing is saved yet"
        say(f"stopped in epoch {trainer.current_epoch} by {number.name}: {then}", file=sys.stderr)
        raise SystemExit(128 + number) from None
    except (RuntimeError, ValueError) as error:
        if advice := remedy(error):
            raise UserError(advice) from error
        raise
    return Path(best.best_model_path)


def make_trainer(config: Config, callbacks: list[Callback], batches: int) -> lightning.Trainer:
    """Return Lightning's loop with the settings of ``training``.

    :param batches: of an epoch.
    :raises UserError: for devices that are not there.
    """
    training = config.training
    devices, nodes = _processes(config)
    parallel = nodes > 1 or (devices if isinstance(devices, int) else torch.cuda.device_count()) > 1
    try:
        return lightning.Trainer(
            max_epochs=training.epochs,
            accumulate_grad_batches=training.accumulate,
            gradient_clip_val=training.gradient_clip,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if parallel else "auto",
            use_distributed_sampler=False,  # the loaders divide the data
            precision=_precision(config),
            check_val_every_n_epoch=training.validate_every,
            logger=TensorBoardLogger(config.run_folder, name="", version="tensorboard"),
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO()],
            default_root_dir=config.run_folder,
            num_sanity_val_steps=0,
            log_every_n_steps=min(10, batches),
            enable_model_summary=False,
        )
    except MisconfigurationException as error:
        raise UserError(f"training.devices {devices}: {first_line(error)}") from error


def _processes(config: Config) -> tuple[int | str, int]:
    """Return the devices of a machine, and the machines: torchrun's, where it has started this process."""
    training = config.training
    if training.devices != "auto":
        return training.devices, training.nodes
    if "TORCHELASTIC_RUN_ID" in os.environ:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    return ("auto" if torch.cuda.is_available() else 1), training.nodes


def _callbacks(config: Config) -> list[Callback]:
    """All but the checkpoints."""
    callbacks: list[Callback] = [LearningRateMonitor("step"), ProgressBar(refresh_rate=10)]
    if config.training.ema is not None:
        callbacks.append(EMAWeightAveraging(decay=config.training.ema))
    if config.training.patience is not None:
        callbacks.append(EarlyStopping("val/miou", mode="max", patience=config.training.patience))
    return callbacks


def _checkpoints(config: Config) -> tuple[ModelCheckpoint, ModelCheckpoint]:
    """Keep the best by validation mIoU, and the state after every epoch (``save_last`` would skip some)."""
    kept: dict[str, Any] = {"dirpath": config.run_folder, "enable_version_counter": False}
    best = ModelCheckpoint(filename="best", monitor="val/miou", mode="max", **kept)
    return best, ModelCheckpoint(filename="last", save_on_train_epoch_end=True, **kept)


def _prepare_folder(folder: Path, overwrite: bool) -> None:
    """Make the run's folder; an earlier run in it goes only where that is asked for."""
    if any((folder / name).exists() for name in (LAST, PREVIOUS)) and not overwrite:
        raise UserError(f"{folder} already holds a run: --resume continues it, --overwrite deletes it")
    try:
        if overwrite and folder.is_dir() and any(folder.iterdir()):
            if not (folder / "config.yaml").is_file():
                raise UserError(f"{folder} is no run of `fit` and is not deleted: choose another --name")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"run folder {folder} cannot be made: {error.strerror or first_line(error)}"
        ) from error


def quieten() -> None:
    """Silence Lightning's advice; its warnings about this project's own choices help nobody."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for advice in ("Checkpoint directory", "The number of training batches", "The '.*_dataloader' does not"):
        warnings.filterwarnings("ignore", message=f".*{advice}.*")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")


def _precision(config: Config) -> Any:
    if config.training.precision != "auto":
        return config.training.precision
    return "16-mixed" if torch.cuda.is_available() else "32-true"


def _announce(config: Config, module: Distillation, data: SegmentationData, processes: int) -> None:
    """Say what is about to run, and keep the full configuration beside the checkpoints."""
    student = module.student
    count = f"{student.deployed_parameters() / 1e6:.3f} M parameters"
    if extra := student.training_only_parameters():
        count += f" (and {extra / 1e6:.3f} M in training only)"
    name = " over ".join(filter(None, (config.student.model, config.student.backbone)))
    print(f"{config.name}: {name}, {count}, seed {config.seed}")
    parts = " + ".join(f"{part.name} ({len(part.frames)})" for part in data.parts)
    print(f"data: {parts}, {data.images} train images an epoch, {len(data.validation)} val images")
    if processes > 1:
        share = config.training.batch_size // processes
        print(
            f"{processes} processes, each with {share} of the {config.training.batch_size} images of a batch"
        )
    print(module.describe_objective())
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    (config.run_folder / "config.yaml").write_text(text, encoding="utf-8")
