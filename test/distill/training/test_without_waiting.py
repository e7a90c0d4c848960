"""A step of training never makes the host wait for the device."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from architectures import SMALL_BACKBONE
from no_waiting import NoWaiting

from distill.config import parse_config
from distill.losses.catalogue import FEATURE_LOSSES, LABEL_LOSSES, LOGIT_LOSSES
from distill.models.build import build
from distill.models.discriminator import Discriminator
from distill.training.distillation import Distillation
from distill.training.finite_guard import FiniteGuard


@pytest.fixture(scope="module")
def batch() -> dict[str, Any]:
    torch.manual_seed(0)
    labels = torch.randint(0, 19, (2, 128, 128))
    labels[:, :9] = 255
    return {
        "image": torch.randn(2, 3, 128, 128),
        "labels": labels,
        "weights": (labels != 255).float(),
        "distil": labels != 255,
        "path": ["a.png", "b.png"],
    }


def module(semantic: str, logits: str) -> Distillation:
    """A student with every feature loss; its flags are looked at as late as on a GPU."""
    student = {"model": "pidnet_s"} if semantic == "pidnet" else {"backbone": SMALL_BACKBONE, "channels": 8}
    maps = {"detail": "P8"} if semantic == "pidnet" else ["P8"]
    values = {
        "name": "x",
        "data": {"root": "."},
        "student": student,
        "teacher": {"checkpoint": "t.ckpt"},
        "objective": {
            "semantic": semantic,
            "logits": logits,
            "curriculum_temperature": True,
            "adversarial": True,
            "features": [{"loss": name, "maps": maps, "adapters": True} for name in FEATURE_LOSSES],
        },
        "training": {"gradient_clip": 1.0},
    }
    torch.manual_seed(0)
    config = parse_config(values, "here")
    model, backbone, channels = config.student.model, config.student.backbone, config.student.channels
    network = build(model, 19, backbone=backbone, channels=channels)
    teacher = build("swiftnet", 19, backbone=SMALL_BACKBONE, channels=8)
    training = Distillation(config, network, teacher)
    training._guard = FiniteGuard(lag=2)
    return training


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("semantic", "logits"),
    [(semantic, [*LOGIT_LOSSES][number % 2]) for number, semantic in enumerate(LABEL_LOSSES)],
)
def test_no_operation_of_a_step_waits(
    semantic: str, logits: str, batch: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "distill.training.adversary.Discriminator", lambda classes: Discriminator(classes, width=4)
    )
    training = module(semantic, logits).train()
    training.trainer = SimpleNamespace(  # type: ignore[assignment]
        estimated_stepping_batches=10, precision_plugin=SimpleNamespace()
    )
    optimizer = training.configure_optimizers()["optimizer"]
    with NoWaiting() as watched:
        for _ in range(2):
            training.training_step(batch, 0).backward()
            training.configure_gradient_clipping(optimizer, 1.0, "norm")
            optimizer.step()
            optimizer.zero_grad()
    assert not watched.found


@pytest.mark.usefixtures("alone")
def test_what_waits_is_found(batch: dict[str, Any]) -> None:
    """The guard that looks at every step at once waits once a step."""
    training = module("border_focal", "kl")
    training._guard = FiniteGuard(lag=0)
    training._adversary = None
    with NoWaiting() as watched:
        training.training_step(batch, 0)
        values = torch.arange(3.0)
        values[values > 1]
        float(values.sum())
    assert "distill/training/finite_guard.py" in watched.found[0]
    assert [found.split()[0] for found in watched.found[1:]] == ["index", "_local_scalar_dense"]
