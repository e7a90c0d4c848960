"""The training module: what it logs, what it refuses, what it hides."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from architectures import SMALL_BACKBONE
from torch._dynamo.exc import TorchDynamoException

from distill.config import parse_config
from distill.models.swiftnet import SwiftNet
from distill.training.distillation import Distillation
from kd_seg_ros.common.errors import UserError


def network() -> SwiftNet:
    torch.manual_seed(0)
    return SwiftNet(SMALL_BACKBONE, 19, channels=8)


def module(**objective: Any) -> Distillation:
    values = {
        "name": "x",
        "data": {"root": "."},
        "student": {"backbone": SMALL_BACKBONE},
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
        "distil": torch.ones(labels.shape, dtype=torch.bool),
        "path": [f"frame{i}.png" for i in range(len(image))],
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_term_that_is_not_finite_stops_training_and_is_named(
    value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = module(logits="kl")
    monkeypatch.setattr("distill.losses.kl.kl_loss", lambda *_: torch.tensor(value))
    with pytest.raises(UserError, match=r"step 0, epoch 0: the loss term kl is not finite .* frame0\.png"):
        training.training_step(batch(torch.randn(2, 3, 64, 64)), 0)


@pytest.mark.parametrize("name", ["discriminator", "generator"])
def test_so_does_the_discriminator(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training = module(adversarial=True)
    loss = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr(
        f"distill.training.adversary.{name}_loss", lambda network, *_: loss + 0 * _sum(network)
    )
    term = {"discriminator": "discriminator", "generator": "adversarial"}[name]
    with pytest.raises(UserError, match=rf"the loss term {term}.* is not finite"):
        training.training_step(batch(torch.randn(2, 3, 128, 128)), 0)


def _sum(network: torch.nn.Module) -> torch.Tensor:
    return torch.stack([p.sum() for p in network.parameters()]).sum()


def test_an_image_that_is_not_finite_is_found_by_its_file() -> None:
    image = torch.randn(2, 3, 64, 64)
    image[1, 0, 5, 5] = float("nan")
    with pytest.raises(UserError, match=r"semantic.*frame0\.png, frame1\.png"):
        module().training_step(batch(image), 0)


def test_validation_without_a_labelled_pixel_is_refused() -> None:
    """There would be no mIoU, and the first epoch's checkpoint would stay the best."""
    training = module()
    training.trainer = SimpleNamespace(world_size=1, sanity_checking=False)  # type: ignore[assignment]
    training._confusion.update(torch.full((4, 4), 255), torch.zeros(4, 4, dtype=torch.int64))
    with pytest.raises(UserError, match="every pixel of the validation labels is ignored"):
        training.on_validation_epoch_end()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("ignored", "distil", "refused"), [(64, 0, True), (64, 64, False), (63, 0, False)])
def test_an_epoch_without_anything_to_learn_from_is_refused(ignored: int, distil: int, refused: bool) -> None:
    """Unlabelled images leave all of their pixels to the teacher: they are no mistake."""
    training, data = module(), batch(torch.randn(2, 3, 64, 64))
    data["labels"][:, :ignored] = 255
    data["distil"][:, distil:] = False
    training.training_step(data, 0)
    training.training_step(data, 1)
    if not refused:
        training.on_train_epoch_end()
        return
    with pytest.raises(UserError, match="every pixel of the training labels is ignored"):
        training.on_train_epoch_end()


def test_the_teacher_is_hidden_and_shared_by_copies() -> None:
    training = module(logits="kl")
    assert training.teacher is not None
    assert not any(key.startswith(("teacher", "_frozen")) for key in training.state_dict())
    assert copy.deepcopy(training).teacher is training.teacher
    training.train()
    assert not training.teacher.training
    assert not any(p.requires_grad for p in training.teacher.parameters())


def test_what_learns_with_the_student_is_kept_apart() -> None:
    """Adapters are in the checkpoint but not of the student; the discriminator is in neither state_dict."""
    features = [{"loss": "l2", "maps": ["P8"], "adapters": True}]
    learnt = {"curriculum_temperature": True, "logits_projector": True, "adversarial": True}
    training = module(logits="kl", features=features, **learnt)
    names = {key for key in training.state_dict() if not key.startswith("student.")}
    projector = "objective.features.0.adapters.0.projector.projections.0"
    expected = {"objective.curriculum.theta", "objective.projector.weight", "objective.projector.bias"}
    assert names == expected | {f"{projector}.weight", f"{projector}.bias"}
    lines = training.describe_objective().splitlines()
    assert "student P8 8×112×112 → teacher P8 8×112×112, 1 projector, 72 extra parameters" in lines[1]
    assert "extra parameters, learning rate 0.0004, training only" in lines[2]


@pytest.mark.usefixtures("alone")
def test_a_resumed_memory_is_the_same_and_one_of_another_size_is_refused() -> None:
    """It is in the checkpoint, but not in the state_dict, which DDP sends around and averaging averages."""
    small = {"pixels": 20, "pixels_per_image": 8}
    features = [{"loss": "memory_bank", "maps": ["P8"], "memory": small}]
    training, resumed = module(features=features), module(features=features)
    for seed in (1, 2):
        torch.manual_seed(seed)
        training.training_step(batch(torch.randn(2, 3, 64, 64)), 0)
    checkpoint: dict[str, Any] = {"optimizer_states": [], "lr_schedulers": []}
    training.on_save_checkpoint(checkpoint)
    assert not any("memor" in key for key in training.state_dict())
    resumed.load_state_dict(training.state_dict())
    resumed.on_load_checkpoint(copy.deepcopy(checkpoint))
    data = batch(torch.randn(2, 3, 64, 64))
    whole, again = training.training_step(data, 0), resumed.training_step(data, 0)
    assert torch.equal(whole, again)
    fresh = module(features=features)
    fresh.load_state_dict(training.state_dict())
    assert not torch.equal(fresh.training_step(data, 0), whole)

    with pytest.raises(
        UserError, match="the memory of memory_bank has other sizes in the checkpoint: pixels"
    ):
        module(features=[{"loss": "memory_bank", "maps": ["P8"]}]).on_load_checkpoint(checkpoint)
    checkpoint.pop("memories")
    with pytest.raises(UserError, match="the memory of memory_bank is not in the checkpoint"):
        resumed.on_load_checkpoint(checkpoint)


def test_rates_and_decay_of_what_learns() -> None:
    features = [{"loss": "l2", "maps": ["P8"], "adapters": True}]
    training = module(logits="kl", curriculum_temperature=True, logits_projector=True, features=features)
    training.trainer = SimpleNamespace(estimated_stepping_batches=10)  # type: ignore[assignment]
    groups = training.configure_optimizers()["optimizer"].param_groups
    assert [group["initial_lr"] for group in groups] == pytest.approx([4e-4, 1e-4, 4e-4])
    assert [group["weight_decay"] for group in groups] == [1e-4, 1e-4, 0]
    everything = {id(p): name for name, p in training.named_parameters()}
    listed = []
    for group in groups:
        listed.append([everything.pop(id(p)) for p in group["params"]])
    assert not everything
    assert sum("adapters" in name for name in listed[0]) == 2
    assert {"objective.projector.weight", "objective.projector.bias"} < set(listed[0])
    assert all("backbone" in name or "projections" in name for name in listed[1])
    assert listed[2] == ["objective.curriculum.theta"]


def test_maps_that_do_not_fit_are_refused_before_anything_is_written() -> None:
    with pytest.raises(UserError, match="the teacher has no map 'P5'; it has P4, P8"):
        module(features=[{"loss": "cwd", "maps": {"P4": "P5"}}])


def test_compiled_networks_keep_their_names_and_outputs() -> None:
    """No compiler is needed here: torch runs the code as it is when the compiled networks are called."""
    training = module(logits="kl")
    names, image = list(training.state_dict()), torch.randn(2, 3, 64, 64)
    plain = training.student.eval()(image).logits
    training.compile_networks()
    with torch.compiler.set_stance("force_eager"):
        torch.testing.assert_close(training.student(image).logits, plain)
        copied = copy.deepcopy(training.student)
    assert list(training.state_dict()) == names
    assert [f"student.{name}" for name in copied.state_dict()] == [n for n in names if "student." in n]


@pytest.mark.usefixtures("alone")
def test_without_a_compiler_the_networks_run_as_they_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    training = module(logits="kl")
    data = batch(torch.randn(2, 3, 64, 64))
    training.compile_networks()
    call = training.student.forward

    def failing(image: torch.Tensor) -> Any:
        if not torch.compiler.is_compiling() and not stances:
            stances.append("tried")
            raise TorchDynamoException("no working C++ compiler\nfor you")
        return call(image)

    stances: list[str] = []
    try:
        with torch.compiler.set_stance("force_eager"):
            monkeypatch.setattr(training.student, "forward", failing)
            loss = training.training_step(data, 0)
    finally:
        torch.compiler.set_stance("default")
    assert loss.isfinite()
    assert caplog.messages == ["training.compile: not compiled, and slower for it: no working C++ compiler"]
