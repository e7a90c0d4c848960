"""Training runs from beginning to end: what they log, validate and keep, and when they stop."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
import yaml
from acdc_tree import write_acdc
from architectures import SMALL_BACKBONE
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from distill.__main__ import main
from distill.checkpoints.student import load_student
from distill.models.discriminator import Discriminator
from distill.models.swiftnet import SwiftNet


def network() -> SwiftNet:
    torch.manual_seed(0)
    return SwiftNet(SMALL_BACKBONE, 19, channels=8)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    values = {
        "name": "student",
        "out": str(folder),
        "data": {
            "root": str(write_acdc(folder / "acdc", frames=1, size=(40, 64))),
            "crop": [40, 40],
            "workers": 0,
        },
        "student": {"backbone": SMALL_BACKBONE, "channels": 8},
        "training": {"epochs": 3, "batch_size": 2, "accumulate": 1, "learning_rate": 0.01},
    }
    path = folder / "student.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def small_discriminator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.training.adversary.Discriminator", partial(Discriminator, width=4))


@pytest.mark.usefixtures("small_discriminator")
def test_all_terms_at_once_and_resumed_to_the_same_bits(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student learns by nearly all there is from a teacher of another width, two epochs long."""
    folder = experiment.parent
    trained = {
        **yaml.safe_load(experiment.read_text()),
        "student": {"backbone": SMALL_BACKBONE, "channels": 12},
    }
    state = {f"student.{k}": v for k, v in SwiftNet(SMALL_BACKBONE, 19, channels=12).state_dict().items()}
    torch.save({"hyper_parameters": {"config": trained}, "state_dict": state}, folder / "wide.ckpt")
    relations = ["self_similarity", "intra_class", "attention_transfer", "cross_image", "local_similarity"]
    values = {
        "base": experiment.name,
        "name": "everything",
        "data": {"crop": [128, 128], "working_scale": 1.0},
        "teacher": {"checkpoint": str(folder / "wide.ckpt")},
        "objective": {
            "logits": "kl_border",
            "curriculum_temperature": True,
            "adversarial": True,
            "features": [
                {"loss": "cwd", "maps": ["P4", "P8"], "adapters": True},
                {"loss": "l2", "maps": {"P8": "P16"}, "adapters": {"projectors": 2}, "whiten": True},
                {"loss": "cwd", "maps": ["logits"], "weight": 3},
                *({"loss": loss, "maps": ["P8"]} for loss in relations),
            ],
        },
        "training": {"epochs": 2, "validate_every": 2, "ema": 0.9, "gradient_clip": 1.0},
    }
    (folder / "everything.yaml").write_text(yaml.safe_dump(values))
    logged: dict[str, torch.Tensor] = {}
    fit = lightning.Trainer.fit

    def watched(self: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        fit(self, *args, **kwargs)
        logged.update(self.callback_metrics)

    monkeypatch.setattr(lightning.Trainer, "fit", watched)
    command = ["fit", "--config", str(folder / "everything.yaml")]
    assert main(command) == 0
    terms = {"semantic", "kl_border", "cwd", "l2", "cwd_2", *relations, "adversarial"}
    assert {tag[6:] for tag in logged if tag.startswith("share/")} == terms
    train = {tag[6:] for tag in logged if tag.startswith("train/")}
    assert train == terms | {"loss", "discriminator", "temperature"}
    assert 1 < logged["train/temperature"] < 21
    assert float(sum(logged[f"train/{term}"] for term in terms)) == pytest.approx(float(logged["train/loss"]))

    run = folder / "everything"
    kept, _ = load_student(run / "last.ckpt")
    assert kept.state_dict().keys() == network().state_dict().keys()
    first = torch.load(run / "previous.ckpt", weights_only=True)
    whole = torch.load(run / "last.ckpt", weights_only=True)
    for name in ("last.ckpt", "best.ckpt"):
        (run / name).unlink()
    assert main([*command, "--resume"]) == 0
    resumed = torch.load(run / "last.ckpt", weights_only=True)
    before, after, again = learnt_tensors(first), learnt_tensors(whole), learnt_tensors(resumed)
    assert after.keys() == again.keys()
    assert not [name for name in after if not torch.equal(after[name], again[name])]
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    for part in ("adversary.discriminator", "adversary.optimizer", "objective.curriculum.theta", "adapters"):
        assert any(part in name for name in moved)


def learnt_tensors(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of weights, averaged weights, optimisers and discriminator, by where they are."""
    found: dict[str, torch.Tensor] = {}
    for key in ("state_dict", "current_model_state", "optimizer_states", "adversary"):
        found.update(tensors(checkpoint[key], key))
    return found


def tensors(values: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors of nested dicts and lists, by where they are."""
    if isinstance(values, torch.Tensor):
        yield name, values
    elif isinstance(values, dict | list):
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from tensors(value, f"{name}.{key}")


def scalars(run: Path) -> dict[str, list[float]]:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    found = {}
    for tag in events.Tags()["scalars"]:
        found[tag] = [event.value for event in events.Scalars(tag)]
    return found


def test_shares_of_the_terms_are_logged_and_sum_to_one(experiment: Path) -> None:
    options = ["--name", "shares", "--student", "{model: pidnet_s}", "--objective.semantic", "pidnet"]
    more = ["--training.epochs", "5", "--training.validate_every", "5"]
    assert main(["fit", "--config", str(experiment), *options, *more]) == 0
    logged = scalars(experiment.parent / "shares")
    shares = [values for tag, values in logged.items() if tag.startswith("share/")]
    assert len(shares) == 4
    steps = [sum(step) for step in zip(*shares, strict=True)]
    assert steps == pytest.approx([1.0] * len(steps), abs=1e-4)


def test_averaged_weights_are_what_is_validated_and_kept(experiment: Path) -> None:
    """An average with decay 0.999999 stays where it began; weights that are not averaged move."""
    start = network()
    for name, options in (("plain", []), ("averaged", ["--training.ema", "0.999999"])):
        assert main(["fit", "--config", str(experiment), "--name", name, "--seed", "0", *options]) == 0
    plain, _ = load_student(experiment.parent / "plain" / "last.ckpt")
    averaged, _ = load_student(experiment.parent / "averaged" / "last.ckpt")
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
