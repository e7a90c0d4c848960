"""The opponent of holistic adversarial distillation: a discriminator that learns beside the student.

It sees the class probabilities of student and teacher, softmax of the logits, brought to an eighth of the
image's size (bilinear, antialiased; sides rounded down), with the image. On every batch it first takes a
step of its own on :func:`~distill.losses.adversarial.discriminator_loss`; then the student's term is ::

    weight·(−mean D(p^student, x))

with the discriminator as it now is, which gets no gradient from it.

Its optimiser is Adam with betas (0, 0.9) and a constant learning rate of 4e-4, as for the discriminator of
Zhang et al., *Self-Attention Generative Adversarial Networks*, ICML 2019 (the authors of the distillation use
the same rate with SGD). All of it is in FP32. Where several processes train, each sees its share of the
batch and the gradients are averaged, so that all of them keep the same discriminator; they start with the
same one because they start from the same seed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from distill.common.distributed import mean_over_processes
from distill.config.objective import AdversarialConfig
from distill.losses.adversarial import discriminator_loss, generator_loss
from distill.models.discriminator import Discriminator
from kd_seg_ros.common.errors import UserError

STRIDE = 8
"""Pixels of the image to one of the probabilities, per side."""
BETAS = (0.0, 0.9)


class Adversary:
    """A discriminator with its optimiser, out of sight of PyTorch and Lightning, and never copied.

    The student's optimiser, DDP and weight averaging must not touch it; its state goes into checkpoints by
    :meth:`state_dict`.
    """

    def __init__(self, config: AdversarialConfig, num_classes: int) -> None:
        self.weight = config.weight
        self.discriminator = Discriminator(num_classes)
        self.optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.learning_rate, betas=BETAS
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Adversary:
        return self

    def step(self, student: Tensor, teacher: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Train the discriminator on one batch, then let it judge the student.

        :param student: logits [B, C, H, W], as is ``teacher``.
        :param image: [B, 3, H, W] as the networks see it.
        :returns: the student's weighted term, and the discriminator's loss without gradient.
        """
        with torch.autocast(image.device.type, enabled=False):  # no scaler keeps its gradients from FP16's 0
            fake, real, image = probabilities(student), probabilities(teacher), image.float()
            loss = discriminator_loss(self.discriminator, fake, real, image)
            self.optimizer.zero_grad()
            loss.backward()
            for parameter in self.discriminator.parameters():
                assert parameter.grad is not None
                parameter.grad = mean_over_processes(parameter.grad)
            self.optimizer.step()
            return self.weight * generator_loss(self.discriminator, fake, image), loss.detach()

    def to(self, device: torch.device) -> None:
        """Move the discriminator and its optimiser's state."""
        self.discriminator.to(device)
        self.optimizer.load_state_dict(self.optimizer.state_dict())  # which moves it to the parameters

    def state_dict(self) -> dict[str, Any]:
        """Return all that a checkpoint must hold: tensors and plain data."""
        return {"discriminator": self.discriminator.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Go on from what :meth:`state_dict` returned.

        :raises UserError: if there is nothing.
        """
        if state is None:
            raise UserError(
                "the checkpoint holds no discriminator: its run had no objective.adversarial; begin a new one"
            )
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])

    def describe(self) -> str:
        """Say what it is, for the log."""
        count = f"{sum(p.numel() for p in self.discriminator.parameters()):,}".replace(",", " ")
        rate = self.optimizer.param_groups[0]["lr"]
        return f"discriminator: {count} extra parameters, learning rate {rate:g}, training only"


def probabilities(logits: Tensor) -> Tensor:
    """Class probabilities at an eighth of the size, float32 [B, C, H/8, W/8]."""
    size = [side // STRIDE for side in logits.shape[-2:]]
    shares = logits.float().softmax(dim=1)
    return F.interpolate(shares, size, mode="bilinear", align_corners=False, antialias=True)
