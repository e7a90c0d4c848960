"""A smoke test of experiments: two training steps and one validation image each, on generated scenes.

What runs is the experiment's own student architecture and objective, in small: SwiftNets with 32 channels,
a teacher with timm's ConvNeXt for tests and random weights, the same for all, crops of 160 pixels. Of the
SwiftNets over one backbone, the first runs on it and the others on the smallest of its family: they differ in
their objectives. HRNet runs over the narrowest of timm's. Nothing is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import lightning
from tqdm import tqdm

from distill.checkpoints.student import build_network
from distill.config import Config, NetworkConfig, load_config
from distill.config.data import SourceConfig
from distill.config.shipped import shipped_configs
from distill.experiments.thesis import EXPERIMENTS
from distill.models.build import construct
from distill.models.catalogue import MODELS, SWIFTNET
from distill.models.network import SegmentationNetwork
from distill.scenes.bag import IMAGE_TOPIC, write_bag
from distill.scenes.dataset import write_dataset
from distill.scenes.drive import Drive
from distill.training.data_module import SegmentationDataModule
from distill.training.distillation import Distillation
from distill.training.trainer import quieten_lightning
from kd_seg_ros.common.conditions import CONDITIONS

STEPS: Final = 2
"""Training steps of every experiment; one validation image follows."""
IMAGES: Final = 4
"""Images to train on, two batches, and images to validate on: one for each weather."""
SIZE: Final = (160, 160)
"""Height and width of the images, pixels."""
CHANNELS: Final = 32
"""Width of the SwiftNets' pyramid, in place of 320."""
SMALLEST: Final = "test_convnext"
"""Backbone of the teacher, and in place of every larger ConvNeXt."""
SMALL_BACKBONES: Final = {"resnet": "test_resnet", "mobilenetv4": "test_efficientnet"}
"""What stands in for a backbone that another experiment runs on, by the start of its name; timm builds
MobileNetV4 as an EfficientNet."""
SMALL_HRNET: Final = "hrnet_w18_small"
"""Backbone in place of HRNet's, with the same blocks: it takes a tenth of the time."""
TEACHER: Final = NetworkConfig(backbone=SMALLEST, channels=CHANNELS)
BESIDES: Final = ("survey_", "fpn_lite_")
"""Starts of the names of further configurations: of the thesis' chapter 2.4, which reports no results of
them, and of small students."""
OVERRIDES: Final[Mapping[str, Any]] = {
    "data.crop": [*SIZE],
    "data.workers": 0,
    "student.pretrained": False,
    "training.batch_size": 2,
    "training.accumulate": 1,
    "training.epochs": 1,
    "training.stop_after": None,
    "training.gradient_shares": None,
    "training.precision": "32-true",
}
"""What is set in every experiment's configuration, by dotted key."""


def smoke_files() -> list[Path]:
    """Return the files to run: the thesis' experiments, its survey's techniques, and small students.

    :raises UserError: if the package's files were not installed.
    """
    besides = [path for name, path in shipped_configs().items() if name.startswith(BESIDES)]
    return [*(experiment.file for experiment in EXPERIMENTS), *besides]


def smoke(files: Sequence[Path], progress_bar: bool = False) -> None:
    """Run the experiments of some configuration files for :data:`STEPS` steps each.

    :param progress_bar: show one on standard error.
    :raises UserError: for a configuration that cannot be read.
    """
    done: set[str] = set()
    teacher = build_network(TEACHER)
    quieten_lightning()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "scenes"
        write_dataset(root, train=IMAGES, val=IMAGES, size=SIZE, seed=0)
        bar = tqdm(files, "smoke", unit="experiment", disable=not progress_bar)
        for file in bar:
            bar.set_postfix_str(file.stem)
            config = small(load_config(file, OVERRIDES), done)
            run_small(on_scenes(config, root), teacher)


def on_scenes(config: Config, root: Path) -> Config:
    """Return the configuration with scenes in the place of its data sets, labelled where these are.

    Where a data set is the topic of a rosbag2, a drive of as many frames is written into one.
    """
    extra = []
    for source in config.data.extra:
        update: dict[str, Any] = {"mean": source.mean, "std": source.std, "weight": source.weight}
        if source.labelled:
            own = SourceConfig(dataset="acdc", root=str(root), **update)
        elif source.topic is not None:
            bag = root / "drive"
            if not bag.exists():
                write_bag(bag, Drive(0, SIZE, IMAGES, CONDITIONS), compressed=False, labels=False)
            own = SourceConfig(
                dataset="folder", root=str(bag), images=".", labels=None, topic=IMAGE_TOPIC, **update
            )
        else:
            own = SourceConfig(
                dataset="folder", root=str(root / "rgb_anon"), images=".", labels=None, **update
            )
        extra.append(own)
    data = config.data.model_copy(update={"root": str(root), "extra": tuple(extra)})
    return config.model_copy(update={"data": data})


def small(config: Config, done: set[str]) -> Config:
    """Return the configuration with a SwiftNet student of the smoke test's size; others stay as they are.

    :param done: backbones of SwiftNets that have run before; that of this one is added.
    """
    model = config.student.model
    if not model.startswith(SWIFTNET):
        return config
    backbone = config.student.backbone or MODELS[model].backbone
    assert backbone is not None
    smaller = backbone
    for family, smallest in SMALL_BACKBONES.items():
        if backbone.startswith(family) and backbone in done:
            smaller = smallest
    if backbone.startswith("convnext"):
        smaller = SMALLEST
    done.add(backbone)
    student = config.student.model_copy(update={"model": SWIFTNET, "backbone": smaller, "channels": CHANNELS})
    return config.model_copy(update={"student": student})


def run_small(config: Config, teacher: SegmentationNetwork) -> dict[str, float]:
    """Train for :data:`STEPS` steps and validate; return the last logged losses and scores by name.

    What a run writes into its folder is thrown away.

    :param teacher: a network of :data:`TEACHER`, for the experiments that have a teacher.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = config.model_copy(update={"out": folder})
        config.run_folder.mkdir()
        return _train(config, teacher if config.teacher else None)


def _train(config: Config, teacher: SegmentationNetwork | None) -> dict[str, float]:
    lightning.seed_everything(config.seed, verbose=False)
    student = _student(config)
    trainer = lightning.Trainer(
        max_steps=STEPS,
        limit_val_batches=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Distillation(config, student, teacher), datamodule=SegmentationDataModule(config))
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _student(config: Config) -> SegmentationNetwork:
    """Make the student, an HRNet over :data:`SMALL_HRNET`."""
    classes = len(config.data.class_names)
    model = MODELS.get(config.student.model)
    if model is not None and model.network.startswith("hrnet."):
        return construct(model.network, classes, backbone=SMALL_HRNET)
    return build_network(config.student, classes)
