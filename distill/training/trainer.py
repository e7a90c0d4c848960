"""Trains a student as its configuration says: :func:`fit`, which logs and prints nothing."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException

from distill.checkpoints.background_io import BackgroundCheckpointIO
from distill.checkpoints.checkpoint_file import load_checkpoint
from distill.checkpoints.lightning_io import LAST, checkpoint_to_resume
from distill.checkpoints.student import build_network, start_from
from distill.common.device import default_device
from distill.common.files import write_json
from distill.common.parallel import default_workers
from distill.config import Config
from distill.config.doubts import doubts
from distill.data.data_check import DATA_CHECK, check_data, refuse_errors
from distill.models.sync_batch_norm import synchronise_batch_norms
from distill.teachers.configured import describe_teacher, load_teacher
from distill.training.callbacks import (
    BestCheckpoint,
    ProgressBar,
    WriteFailures,
    best_checkpoint,
    last_checkpoint,
    other_callbacks,
)
from distill.training.cost import CostCounter
from distill.training.data_module import SegmentationDataModule
from distill.training.distillation import Distillation
from distill.training.image_record import ImageRecord
from distill.training.loggers import make_logger
from distill.training.mending import mend_run
from distill.training.preflight import (
    check_accumulation,
    check_image_sizes,
    check_seen_images,
    check_shared_memory,
)
from distill.training.remedy import remedy
from distill.training.resume import check_resumed, config_changes
from distill.training.run_folder import locked, prepare_run_folder, write_run_config
from distill.training.whole_images import WholeImages, teacher_outputs
from kd_seg_ros.common.errors import UserError, first_line

_logger = logging.getLogger(__name__)


def fit(
    config: Config,
    resume: bool = False,
    overwrite: bool = False,
    *,
    check: str = "sample",
    progress_bar: bool = False,
) -> Path:
    """Run one experiment; return the path of its best checkpoint by validation mIoU.

    :param resume: continue the run in its folder from its newest whole checkpoint.
    :param overwrite: delete an earlier run in its folder.
    :param check: how much of the data to look at first, one of :data:`~distill.datasets.findings.AMOUNTS`.
    :param progress_bar: show one on standard output.
    :raises UserError: for data, weights or a run folder that cannot be used.
    :raises SystemExit: with 128 + the signal's number after SIGTERM or Ctrl-C.
    """
    quieten_lightning()
    lightning.seed_everything(config.seed, workers=True, verbose=False)

    # The networks and the data.
    teacher = load_teacher(config)
    student = build_network(config.student, len(config.data.class_names))
    if config.student.checkpoint is not None and not resume:
        start_from(student, Path(config.student.checkpoint), config.data.class_names)
    student = student.to(memory_format=torch.channels_last)
    data = SegmentationDataModule(config)
    check_image_sizes(student, config, data.validation[0])

    # Lightning's loop, which knows how many processes train.
    best = best_checkpoint(config)
    checkpoints = BackgroundCheckpointIO()
    callbacks = [
        *other_callbacks(config, progress_bar),
        CostCounter(config),
        ImageRecord(config, data.training),
        WriteFailures(checkpoints),
        best,
        last_checkpoint(config),
    ]
    batches = data.images // config.training.batch_size
    for doubt in doubts(config, batches):
        _logger.warning("%s", doubt)
    trainer = make_trainer(config, callbacks, checkpoints, batches)
    data.check_processes(trainer.world_size)
    check_accumulation(config, batches)
    check_shared_memory(config, trainer.num_devices, data.validation[0])
    if trainer.world_size > 1 and config.training.sync_batchnorm:
        student = synchronise_batch_norms(student, trainer.strategy.root_device.type)

    # What is minimised.
    outputs = teacher_outputs(config, data.training)
    if isinstance(outputs, WholeImages):
        data.training = outputs.labelled(data.training)
    module = Distillation(config, student, teacher, outputs)
    if config.training.compile:
        module.compile_networks()

    looked: dict[str, Any] = {}
    if trainer.is_global_zero:
        looked = _look_at_data(config, check)
        if not resume:
            check_seen_images(config, data.validation)

    # The run's folder. Only now: a mistake above must not cost the run that is to be overwritten.
    with ExitStack() as stack:
        if trainer.is_global_zero:
            stack.enter_context(locked(config.run_folder))
        resumed = _open_run(trainer, module, data, best, resume, overwrite)
        if trainer.is_global_zero:
            write_json(config.run_folder / DATA_CHECK, looked)
        _train(trainer, module, data, resumed, checkpoints)
    return Path(best.best_model_path)


def _look_at_data(config: Config, amount: str) -> dict[str, Any]:
    """Return what was seen of the data, and log the oddities; raises UserError for errors."""
    document = check_data(config.data, amount, default_workers())
    for finding in document["findings"]:
        if finding["level"] != "error":
            _logger.warning("%s", finding["message"])
    refuse_errors(document)
    return document


def _open_run(
    trainer: lightning.Trainer,
    module: Distillation,
    data: SegmentationDataModule,
    best: BestCheckpoint,
    resume: bool,
    overwrite: bool,
) -> Path | None:
    """Make the run's folder, or find the checkpoint in it to resume from; log what is about to run.

    :param best: keeps the best checkpoint; it is told if that of the run that is resumed is lost.
    :raises UserError: if there is nothing to resume, or a run that may not be deleted.
    """
    config = module.config
    resumed = None
    if resume:
        resumed = checkpoint_to_resume(config.run_folder)
        data.epochs_done = check_resumed(resumed, load_checkpoint(resumed), config)
    if trainer.is_global_zero:
        if resumed is not None:
            best.lost = mend_run(config.run_folder, resumed)
            for change in config_changes(config):
                _logger.warning("not as the run was started: %s", change)
        else:
            prepare_run_folder(config.run_folder, overwrite)
        for line in describe_run(config, module, data, trainer.world_size):
            _logger.info(line)
        write_run_config(config)
    return resumed


def make_trainer(
    config: Config, callbacks: list[Callback], checkpoints: CheckpointIO, batches: int
) -> lightning.Trainer:
    """Return Lightning's loop with the settings of ``training``.

    :param checkpoints: reads and writes them.
    :param batches: number of batches per epoch.
    :raises UserError: for devices that are not there.
    """
    training = config.training
    devices, nodes = _devices_and_nodes(config)
    per_node = devices if isinstance(devices, int) else torch.cuda.device_count()
    try:
        return lightning.Trainer(
            max_epochs=training.last_epoch,
            accumulate_grad_batches=training.accumulate,
            gradient_clip_val=training.gradient_clip,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if nodes > 1 or per_node > 1 else "auto",
            use_distributed_sampler=False,  # the loaders divide the data
            precision=_precision(config),
            # Crops have one size, so that cuDNN could choose its kernels by timing them. But it would compile
            # several for each shape of a depthwise convolution, and these already take their time to compile.
            benchmark=False,
            check_val_every_n_epoch=training.validate_every,
            logger=make_logger(config),
            callbacks=callbacks,
            plugins=[checkpoints],
            default_root_dir=config.run_folder,
            num_sanity_val_steps=0,
            log_every_n_steps=min(10, batches),
            enable_model_summary=False,
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        )
    except MisconfigurationException as error:
        raise UserError(f"training.devices {devices}: {first_line(error)}") from error


def describe_run(
    config: Config, module: Distillation, data: SegmentationDataModule, processes: int
) -> list[str]:
    """Say in a few lines what is about to run: student, teacher, data, processes, objective."""
    student = module.student
    parameters = f"{student.deployed_parameters() / 1e6:.3f} M parameters"
    extra = student.training_only_parameters()
    if extra:
        parameters += f" (and {extra / 1e6:.3f} M in training only)"
    network = config.student.model
    if config.student.backbone:
        network += f" over {config.student.backbone}"
    lines = [f"{config.name}: {network}, {parameters}, seed {config.seed}"]
    if module.teacher is not None:
        lines.append(describe_teacher(config, module.teacher))
    parts = " + ".join(f"{part.name} ({len(part.frames)})" for part in data.parts)
    lines.append(f"data: {parts}, {data.images} train images per epoch, {len(data.validation)} val images")
    if processes > 1:
        batch = config.training.batch_size
        share = batch // processes
        lines.append(f"{processes} processes, each with {share} of the {batch} images of a batch")
    lines.append(module.describe_objective())
    return lines


def quieten_lightning() -> None:
    """Silence Lightning's advice; its warnings about this project's own choices help nobody."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for advice in ("Checkpoint directory", "The number of training batches", "The '.*_dataloader' does not"):
        warnings.filterwarnings("ignore", message=f".*{advice}.*")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")


def _train(
    trainer: lightning.Trainer,
    module: Distillation,
    data: SegmentationDataModule,
    resumed: Path | None,
    checkpoints: BackgroundCheckpointIO,
) -> None:
    """Run the loop; turn a signal into a shell's exit status and PyTorch's refusals into a remedy."""
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resumed, weights_only=True)
        checkpoints.finish()
    except SystemExit as end:  # what Lightning makes of SIGTERM and Ctrl-C, with status 0 and 1
        checkpoints.wait()
        number = signal.SIGTERM if isinstance(end, SIGTERMException) else signal.SIGINT
        if trainer.is_global_zero:
            saved = (module.config.run_folder / LAST).is_file()
            then = f"--resume resumes from {LAST}" if saved else "nothing is saved yet"
            _logger.warning("stopped in epoch %d by %s: %s", trainer.current_epoch, number.name, then)
        raise SystemExit(128 + number) from None
    except (RuntimeError, ValueError, MemoryError, OSError) as error:
        advice = remedy(error, module.config)
        if advice:
            raise UserError(advice) from error
        raise
    finally:
        checkpoints.wait()


def _devices_and_nodes(config: Config) -> tuple[int | str, int]:
    """Return the devices per machine and the number of machines; under torchrun, those it has chosen."""
    training = config.training
    if training.devices != "auto":
        return training.devices, training.nodes
    if "TORCHELASTIC_RUN_ID" in os.environ:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    return ("auto" if default_device().type == "cuda" else 1), training.nodes


def _precision(config: Config) -> Any:
    """Return Lightning's name for the precision of training."""
    if config.training.precision != "auto":
        return config.training.precision
    return "16-mixed" if default_device().type == "cuda" else "32-true"
