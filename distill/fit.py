"""``python -m distill fit``: train a student by its YAML file."""

from __future__ import annotations

import argparse
import logging
import shutil
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
from torch import nn
from torch.utils.data import DataLoader

from distill.checkpoint import build_network, load_student
from distill.checkpoint_io import LAST, PREVIOUS, AtomicCheckpointIO, checkpoint_to_resume, epochs_done
from distill.config import Config, load_config
from distill.data.acdc import AcdcDataset
from distill.data.dataset import init_worker
from distill.data.sampler import EpochSampler
from distill.data.transforms import TrainTransform, eval_transform
from distill.distillation import Distillation
from distill.models.network import SegmentationNetwork
from distill.objective import check_maps
from distill.teachers.load import load_outside_teacher
from kd_seg_ros.errors import UserError


class ProgressBar(TQDMProgressBar):
    """Lightning's progress bar without its abbreviated logger version."""

    def get_metrics(self, *args: Any, **kwargs: Any) -> Any:
        """Leave out what says nothing here."""
        metrics = super().get_metrics(*args, **kwargs)
        metrics.pop("v_num", None)
        return metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; every key of the configuration is one too."""
    parser.add_argument(
        "--config", type=Path, required=True, help="experiment, e.g. config/distill/NAME.yaml"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run from its last checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="delete the earlier run in its folder")
    parser.set_defaults(overrides=[])
    parser.epilog = (
        "Any key of the configuration can be given too, and wins over the file: "
        "--data.root DIR --training.epochs 3"
    )


def run(args: argparse.Namespace) -> int:
    """Train and print where the checkpoints are."""
    config = load_config(args.config, parse_overrides(args.overrides))
    best = fit(config, resume=args.resume, overwrite=args.overwrite)
    print(f"best checkpoint: {best}")
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
    """
    quieten()
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    teacher = load_teacher(config)
    student = build_network(config.student)
    if isinstance(teacher, SegmentationNetwork):
        check_maps(config.objective, student.strides, teacher.strides)
    module = Distillation(config, student, teacher)
    training, validation = training_loader(config), validation_loader(config)
    # Only now: a mistake above must not cost the run that is to be overwritten.
    resumed = _prepare_folder(config.run_folder, resume, overwrite)
    if resumed is not None:
        # Lightning tells the sampler its epoch too late on resuming: worker processes have fetched by then.
        training.sampler.set_epoch(epochs_done(resumed))  # type: ignore[attr-defined]
    _announce(config, module, training, validation)

    best, last = _checkpoints(config)
    training_config = config.training
    trainer = lightning.Trainer(
        max_epochs=training_config.epochs,
        accumulate_grad_batches=training_config.accumulate,
        gradient_clip_val=training_config.gradient_clip,
        devices=1,  # the order of frames is not yet divided between processes
        precision=_precision(config),
        check_val_every_n_epoch=training_config.validate_every,
        logger=TensorBoardLogger(config.run_folder, name="", version="tensorboard"),
        callbacks=[*_callbacks(config), best, last],
        plugins=[AtomicCheckpointIO()],
        default_root_dir=config.run_folder,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
    )
    trainer.fit(module, training, validation, ckpt_path=resumed, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    return Path(best.best_model_path)


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


def load_teacher(config: Config) -> nn.Module | None:
    """Return the teacher, if there is one; it says by itself what it is where it comes from outside."""
    teacher = config.teacher
    if teacher is None:
        return None
    if teacher.checkpoint is not None:
        print(f"teacher: {teacher.checkpoint}")
        return load_student(Path(teacher.checkpoint))[0]
    outside = load_outside_teacher(
        huggingface=teacher.huggingface,
        onnx=teacher.onnx,
        student_mean=config.data.mean,
        student_std=config.data.std,
        classes=teacher.classes,
        class_names=teacher.class_names,
        mean=teacher.mean,
        std=teacher.std,
        size=teacher.size,
    )
    print(outside.describe())
    return outside


def training_loader(config: Config) -> DataLoader[Any]:
    """Augmented crops, in an order that depends on the seed and the epoch alone."""
    data, training = config.data, config.training
    transform = TrainTransform(
        crop=data.crop,
        working_scale=data.working_scale,
        scale=data.scale,
        jitter=data.jitter,
        mean=data.mean,
        std=data.std,
    )
    dataset = AcdcDataset(data.root, "train", data.conditions, transform, seed=config.seed)
    if len(dataset) < training.batch_size:
        raise UserError(
            f"{data.root}: {len(dataset)} training images are fewer than a batch of {training.batch_size}"
        )
    return DataLoader(
        dataset,
        batch_size=training.batch_size,
        sampler=EpochSampler(len(dataset), config.seed),
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
        pin_memory=torch.cuda.is_available(),
        drop_last=True,
        worker_init_fn=init_worker,
    )


def validation_loader(config: Config) -> DataLoader[Any]:
    """Whole images, one at a time."""
    data = config.data
    dataset = AcdcDataset(data.root, "val", data.conditions, eval_transform)
    return DataLoader(dataset, batch_size=None, num_workers=min(1, data.workers))


def _prepare_folder(folder: Path, resume: bool, overwrite: bool) -> Path | None:
    """Make the run's folder; return the checkpoint to resume from, if any."""
    if resume:
        return checkpoint_to_resume(folder)
    if any((folder / name).exists() for name in (LAST, PREVIOUS)) and not overwrite:
        raise UserError(f"{folder} already holds a run: --resume continues it, --overwrite deletes it")
    try:
        if overwrite and folder.is_dir() and any(folder.iterdir()):
            if not (folder / "config.yaml").is_file():
                raise UserError(f"{folder} is no run of `fit` and is not deleted: choose another --name")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"run folder {folder} cannot be made: {error.strerror}") from error
    return None


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


def _announce(
    config: Config, module: Distillation, training: DataLoader[Any], validation: DataLoader[Any]
) -> None:
    """Say what is about to run, and keep the full configuration beside the checkpoints."""
    student = module.student
    count = f"{student.deployed_parameters() / 1e6:.3f} M parameters"
    if extra := student.training_only_parameters():
        count += f" (and {extra / 1e6:.3f} M in training only)"
    name = " over ".join(filter(None, (config.student.model, config.student.backbone)))
    print(f"{config.name}: {name}, {count}, seed {config.seed}")
    print(f"data: {config.data.root}, {len(training.dataset)} train, {len(validation.dataset)} val images")  # type: ignore[arg-type]
    semantic = {"border_focal": "border-focal", "pidnet": "PIDNet's, OHEM"}[config.objective.semantic]
    terms = [f"{semantic} × {1 - (config.objective.logits != 'none') * config.objective.logits_weight:g}"]
    if config.objective.logits != "none":
        terms.append(f"{config.objective.logits} × {config.objective.logits_weight:g}")
    terms += [f"{t.loss} on {', '.join(t.maps)} × {t.weight:g}" for t in config.objective.features]
    print(f"objective: {' + '.join(terms)}")
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    (config.run_folder / "config.yaml").write_text(text, encoding="utf-8")
