"""A smoke test of experiments: two training steps and two validation images each, on generated scenes.

What runs is the experiment's own student architecture and objective, in small: SwiftNets with 32 channels,
a teacher with the smallest ConvNeXt and random weights, crops of 160 pixels. Nothing is kept.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import lightning
from tqdm import tqdm

from distill.checkpoints.student import build_network
from distill.config import Config, NetworkConfig, load_config
from distill.models.catalogue import MODELS, SWIFTNET
from distill.scenes.dataset import write_dataset
from distill.training.data_module import SegmentationDataModule
from distill.training.distillation import Distillation
from distill.training.trainer import quieten_lightning

STEPS = 2
CHANNELS = 32
SMALLEST = "convnext_atto"
TEACHER = NetworkConfig(backbone=SMALLEST, channels=CHANNELS)
OVERRIDES: dict[str, Any] = {
    "data.crop": [160, 160],
    "data.workers": 0,
    "student.pretrained": False,
    "training.batch_size": 2,
    "training.accumulate": 1,
    "training.epochs": 1,
    "training.precision": "32-true",
}


def smoke(files: list[Path]) -> None:
    """Run every experiment for :data:`STEPS` steps.

    :raises UserError: as `fit` does.
    """
    quieten_lightning()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "scenes"
        write_dataset(root, train=4, val=4, size=(128, 192), seed=0)
        for file in (bar := tqdm(files, "smoke", unit="experiment")):
            bar.set_postfix_str(file.stem)
            run_small(small(load_config(file, {**OVERRIDES, "data.root": str(root)})))
    print(f"{len(files)} experiments ran for {STEPS} steps each")


def small(config: Config) -> Config:
    """Give a SwiftNet student the smoke test's width."""
    model = config.student.model
    if not model.startswith(SWIFTNET):
        return config
    backbone = config.student.backbone or MODELS[model].backbone
    if backbone.startswith("convnext"):
        backbone = SMALLEST
    student = config.student.model_copy(
        update={"model": SWIFTNET, "backbone": backbone, "channels": CHANNELS}
    )
    return config.model_copy(update={"student": student})


def run_small(config: Config) -> dict[str, float]:
    """Train and validate for a few steps; return what was logged last."""
    lightning.seed_everything(config.seed, verbose=False)
    student = build_network(config.student, len(config.data.class_names))
    teacher = build_network(TEACHER) if config.teacher else None
    trainer = lightning.Trainer(
        fast_dev_run=STEPS,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Distillation(config, student, teacher), datamodule=SegmentationDataModule(config))
    return {name: float(value) for name, value in trainer.callback_metrics.items()}
