"""Run folders as `fit` and `evaluate` leave them, made of random scores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from acdc_tree import write_acdc
from torch.utils.tensorboard import SummaryWriter

from distill.__main__ import main
from distill.checkpoints.checkpoint_file import save_checkpoint
from distill.checkpoints.student import build_network
from distill.config import load_config, parse_config
from distill.evaluation import run_files
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.metrics_json import metrics_document
from distill.experiments.thesis import EXPERIMENTS, find_experiment
from distill.report.runs import Run, load_runs
from kd_seg_ros.common.classes import CLASS_NAMES

WEATHERS = {"fog": 2, "night": 3, "rain": 2, "snow": 2}
SIZE = (6, 8)
SIZE_OF_MODEL = {"parameters": 16_746_000}

MakeRun = Callable[..., Path]


def write_run(
    folder: Path,
    name: str = "student",
    *,
    names: tuple[str, ...] = CLASS_NAMES[:4],
    images: Mapping[str, int] = WEATHERS,
    skill: float = 1.5,
    seed: int = 0,
    labels_seed: int = 0,
    teacher: bool = False,
    student: Mapping[str, Any] | None = None,
    curve: Mapping[int, float] | None = None,
    top_only: bool = False,
    file: str = "best.metrics.json",
) -> Path:
    """Write metrics, image scores, configuration and events; return the folder.

    :param images: how many of each condition.
    :param skill: how far the right class stands out of the noise.
    :param curve: mIoU by epochs done.
    :param top_only: as of a file that gives mask and confidence only.
    """
    data, noise = np.random.default_rng(labels_seed), np.random.default_rng((seed, 1))
    evaluation = Evaluation(names)
    for condition, count in images.items():
        for number in range(count):
            labels = data.choice(np.array([*range(len(names)), 255], np.uint8), SIZE)
            logits = noise.normal(size=(len(names), *SIZE)).astype(np.float32)
            for c in range(len(names)):
                logits[c] += skill * (labels == c)
            image = f"rgb_anon/{condition}/val/GP01/GP01_frame_{number:06d}_rgb_anon.png"
            if top_only:
                p = torch.softmax(torch.from_numpy(logits), 0).max(0)
                mask, top = p.indices.numpy().astype(np.uint8), p.values.numpy()
                evaluation.update_mask(condition, image, labels, mask, top)
            else:
                evaluation.update(condition, image, labels, torch.from_numpy(logits))
    model = {
        "file": "best.ckpt",
        "sha256": "0" * 64,
        "name": name,
        "temperature": 1.5,
        "calibration": {"method": "temperature", "parameters": {"temperature": 1.5}},
        **SIZE_OF_MODEL,
    }
    where = {"dataset": "made up", "root": str(folder / "data"), "split": "val"}
    document = metrics_document(evaluation.summary(), names, model, where)
    run_files.write_run(folder / file, document, evaluation.images())
    config: dict[str, Any] = {
        "name": name,
        "data": {"root": "data/acdc"},
        "student": dict(student or {"backbone": "resnet18"}),
    }
    if name in [experiment.name for experiment in EXPERIMENTS]:
        config = load_config(find_experiment(name).file).model_dump(mode="json")
    elif teacher:
        config |= {"teacher": {"checkpoint": "t.ckpt"}, "objective": {"features": [{"loss": "cwd"}]}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    if curve:
        with SummaryWriter(str(folder / "tensorboard")) as writer:
            for epochs, miou in curve.items():
                writer.add_scalar("epoch", epochs - 1, 10 * epochs)
                writer.add_scalar("val/miou", miou, 10 * epochs)
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write a run into a folder of its name."""

    def make(name: str = "student", folder: str | None = None, **options: Any) -> Path:
        return write_run(tmp_path / (folder or name), name, **options)

    return make


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A baseline, a run distilled into the same network, and one of another network; of ACDC's classes."""
    folder = tmp_path_factory.mktemp("runs")
    made: dict[str, dict[str, Any]] = {
        "e_rn18_border": {"curve": {1: 0.2, 2: 0.3}},
        "j_rn18_cwd_border": {"teacher": True, "skill": 2.0, "seed": 1, "curve": {1: 0.25, 2: 0.4}},
        "other": {"student": {"model": "pidnet_s"}, "skill": 1.0, "seed": 2},
    }
    return load_runs(
        [write_run(folder / name, name, names=CLASS_NAMES, **options) for name, options in made.items()]
    )


def write_checkpoint(folder: Path, name: str, root: Path, seed: int) -> Path:
    """Write a run of an untrained network."""
    values = {
        "name": name,
        "data": {"root": str(root), "conditions": ["fog", "night"], "working_scale": 0.5},
        "student": {"backbone": "mobilenetv4_conv_small_035", "channels": 8},
    }
    if name != "plain":
        values |= {"teacher": {"checkpoint": "t.ckpt"}, "objective": {"logits": "kl"}}
    config = parse_config(values, "test")
    torch.manual_seed(seed)
    network = build_network(config.student)
    head = network.get_submodule(network.classifier_name)
    assert isinstance(head, torch.nn.Conv2d)
    assert head.bias is not None
    head.weight.data *= 100  # untrained, it would see one class everywhere
    head.bias.data.zero_()
    state = {f"student.{key}": value for key, value in network.state_dict().items()}
    folder.mkdir(parents=True)
    values = config.model_dump(mode="json")
    save_checkpoint({"hyper_parameters": {"config": values}, "state_dict": state}, folder / "best.ckpt")
    (folder / "config.yaml").write_text(json.dumps(values))
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("acdc")
    return write_acdc(folder, splits=("val",), conditions=("fog", "night"), frames=1, size=(48, 80))


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Folder with two evaluated runs."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("plain", "taught")):
        run = write_checkpoint(folder / name, name, data, seed)
        assert main(["evaluate", "--model", str(run / "best.ckpt")]) == 0
    return folder


@pytest.fixture
def trained(evaluated: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    return Path(shutil.copytree(evaluated, tmp_path / "trained"))
