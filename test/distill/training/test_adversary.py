from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from distill.config.objective import AdversarialConfig
from distill.training.adversary import Adversary, probabilities
from kd_seg_ros.common.errors import UserError

STUDENT = torch.randn(2, 5, 128, 160, generator=torch.Generator().manual_seed(0))
TEACHER = torch.randn(2, 5, 128, 160, generator=torch.Generator().manual_seed(1))
IMAGE = torch.randn(2, 3, 128, 160, generator=torch.Generator().manual_seed(2))


def adversary(weight: float = 0.1) -> Adversary:
    torch.manual_seed(0)
    return Adversary(AdversarialConfig(weight=weight), 5)


def parameters(opponent: Adversary) -> list[Tensor]:
    return [p.detach().clone() for p in opponent.discriminator.parameters()]


def test_probabilities_are_an_eighth_as_large() -> None:
    got = probabilities(STUDENT[..., :157].half())
    assert got.shape == (2, 5, 16, 19)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.sum(1), torch.ones(2, 16, 19))
    certain = torch.zeros(1, 5, 128, 160)
    certain[:, 3] = 50
    torch.testing.assert_close(probabilities(certain)[:, 3], torch.ones(1, 16, 20))


def test_both_losses_are_the_hinges_formulas() -> None:
    """The discriminator's before its step, the student's after it."""
    opponent, twin = adversary(), adversary()
    student, own = opponent.step(STUDENT, TEACHER, IMAGE)
    score = twin.discriminator.train()
    with torch.no_grad():
        real = score(probabilities(TEACHER), IMAGE)
        fake = score(probabilities(STUDENT), IMAGE)
    torch.testing.assert_close(own, (F.relu(1 - real) + F.relu(1 + fake)).mean())
    with torch.no_grad():
        after = opponent.discriminator.eval()(probabilities(STUDENT), IMAGE)
    torch.testing.assert_close(student.detach(), -0.1 * after.mean())


def test_the_discriminator_learns_to_tell_them_apart() -> None:
    opponent = adversary()
    blocks = F.interpolate(50 * TEACHER[:, :, ::32, ::32], scale_factor=32.0)
    losses = [float(opponent.step(STUDENT, blocks, IMAGE)[1]) for _ in range(14)]
    assert losses[0] == pytest.approx(2, abs=0.1)
    assert losses[-1] < 1


def test_the_student_learns_and_its_loss_leaves_the_discriminator_alone() -> None:
    opponent = adversary()
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    loss, own = opponent.step(student, teacher, IMAGE)
    assert not own.requires_grad
    assert student.grad is None
    opponent.optimizer.zero_grad()
    loss.backward()
    assert student.grad is not None
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None
    assert all(p.grad is None for p in opponent.discriminator.parameters())


def test_under_autocast_it_stays_in_full_precision() -> None:
    plain = adversary().step(STUDENT, TEACHER, IMAGE)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = adversary().step(STUDENT, TEACHER, IMAGE)
    assert [float(v) for v in mixed] == [float(v) for v in plain]


def test_a_saved_one_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole, first = adversary(), adversary()
    for opponent, steps in ((whole, 3), (first, 2)):
        for _ in range(steps):
            opponent.step(STUDENT, TEACHER, IMAGE)
    torch.save({"adversary": first.state_dict()}, tmp_path / "state.ckpt")
    torch.manual_seed(7)
    second = Adversary(AdversarialConfig(weight=0.1), 5)
    second.load_state_dict(torch.load(tmp_path / "state.ckpt", weights_only=True)["adversary"])
    second.to(torch.device("cpu"))
    second.step(STUDENT, TEACHER, IMAGE)
    assert all(torch.equal(a, b) for a, b in zip(parameters(whole), parameters(second), strict=True))
    buffers = zip(whole.discriminator.buffers(), second.discriminator.buffers(), strict=True)
    assert all(torch.equal(a, b) for a, b in buffers)


def test_a_checkpoint_without_one_is_refused() -> None:
    with pytest.raises(UserError, match=r"no objective\.adversarial"):
        adversary().load_state_dict(None)


def test_a_copy_is_the_same_one() -> None:
    opponent = adversary()
    assert copy.deepcopy(opponent) is opponent


def test_gradients_are_averaged_over_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the average of every gradient is 0, Adam moves nothing."""
    monkeypatch.setattr("distill.training.adversary.mean_over_processes", torch.zeros_like)
    opponent = adversary()
    before = parameters(opponent)
    opponent.step(STUDENT, TEACHER, IMAGE)
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(opponent), strict=True))
