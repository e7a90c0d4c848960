"""The training module: what it logs, when it stops, what it hides."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from acdc_tree import write_acdc
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from distill.__main__ import main
from distill.checkpoint import load_student
from distill.config import parse_config
from distill.distillation import Distillation
from distill.models.swiftnet import SwiftNet
from kd_seg_ros.errors import UserError

BACKBONE = "mobilenetv4_conv_small_035"


def network() -> SwiftNet:
    torch.manual_seed(0)
    return SwiftNet(BACKBONE, 19, channels=8)


def module(**objective: Any) -> Distillation:
    values = {
        "name": "x",
        "data": {"root": "."},
        "student": {"backbone": BACKBONE},
        "objective": objective,
        **({"teacher": {"checkpoint": "t.ckpt"}} if objective else {}),
    }
    return Distillation(parse_config(values, "here"), network(), network() if objective else None)


def batch(image: torch.Tensor) -> dict[str, Any]:
    labels = torch.randint(0, 19, (len(image), *image.shape[2:]))
    return {
        "image": image,
        "labels": labels,
        "weights": torch.ones(labels.shape),
        "path": [f"frame{i}.png" for i in range(len(image))],
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_term_that_is_not_finite_stops_training_and_is_named(
    value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = module(logits="kl")
    monkeypatch.setattr("distill.objective.kl_loss", lambda *_: torch.tensor(value))
    with pytest.raises(UserError, match=r"step 0, epoch 0: the loss term kl is not finite .* frame0\.png"):
        training.training_step(batch(torch.randn(2, 3, 64, 64)), 0)


def test_an_image_that_is_not_finite_is_found_by_its_file() -> None:
    image = torch.randn(2, 3, 64, 64)
    image[1, 0, 5, 5] = float("nan")
    with pytest.raises(UserError, match=r"semantic.*frame0\.png, frame1\.png"):
        module().training_step(batch(image), 0)


def test_the_teacher_is_hidden_and_shared_by_copies() -> None:
    training = module(logits="kl")
    assert training.teacher is not None
    assert not any(key.startswith(("teacher", "_frozen")) for key in training.state_dict())
    assert copy.deepcopy(training).teacher is training.teacher
    training.train()
    assert not training.teacher.training
    assert not any(p.requires_grad for p in training.teacher.parameters())


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    values = {
        "name": "student",
        "output": str(folder),
        "data": {
            "root": str(write_acdc(folder / "acdc", frames=1, size=(40, 64))),
            "crop": [40, 40],
            "workers": 0,
        },
        "student": {"backbone": BACKBONE, "channels": 8},
        "training": {"epochs": 3, "batch_size": 2, "accumulate": 1, "learning_rate": 0.01},
    }
    path = folder / "student.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def scalars(run: Path) -> dict[str, list[float]]:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_shares_of_the_terms_are_logged_and_sum_to_one(experiment: Path) -> None:
    options = ["--name", "shares", "--student", "{model: pidnet_s}", "--objective.semantic", "pidnet"]
    more = ["--training.epochs", "5", "--training.validate_every", "5"]
    assert main(["fit", "--config", str(experiment), *options, *more]) == 0
    logged = scalars(experiment.parent / "shares")
    shares = [values for tag, values in logged.items() if tag.startswith("share/")]
    assert len(shares) == 4
    assert [sum(step) for step in zip(*shares, strict=True)] == pytest.approx([1.0], abs=1e-4)


def test_averaged_weights_are_what_is_validated_and_kept(experiment: Path) -> None:
    """With decay 0.999999 the average stays where it began; without, the weights move."""
    start = network()
    for name, options in (("plain", []), ("averaged", ["--training.ema", "0.999999"])):
        assert main(["fit", "--config", str(experiment), "--name", name, "--seed", "0", *options]) == 0
    plain, averaged = (load_student(experiment.parent / n / "last.ckpt")[0] for n in ("plain", "averaged"))
    moved = (plain.state_dict()["head.2.weight"] - averaged.state_dict()["head.2.weight"]).abs().mean()
    assert moved > 1e-3
    assert plain.state_dict().keys() == averaged.state_dict().keys() == start.state_dict().keys()


def test_training_stops_early(experiment: Path) -> None:
    """A learning rate of nearly nothing brings no better mIoU after the first validation."""
    options = ["--name", "patient", "--training.patience", "1", "--training.learning_rate", "1e-30"]
    assert main(["fit", "--config", str(experiment), *options, "--training.epochs", "9"]) == 0
    assert len(scalars(experiment.parent / "patient")["val/miou"]) < 9


def test_a_clipped_gradient_has_the_norm_asked_for(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []
    step = torch.optim.Adam.step

    def watched(self: torch.optim.Adam, *args: Any, **kwargs: Any) -> Any:
        closure = kwargs.pop("closure", None) or (args[0] if args else None)
        loss = closure() if closure else None
        gradients = [
            p.grad.norm() for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        norms.append(float(torch.stack(gradients).norm()))
        step(self)
        return loss

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    options = ["--name", "clipped", "--training.gradient_clip", "0.01", "--training.epochs", "1"]
    assert main(["fit", "--config", str(experiment), *options]) == 0
    assert norms == pytest.approx([0.01] * len(norms), rel=1e-3)
