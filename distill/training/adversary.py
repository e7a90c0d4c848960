"""The discriminator of holistic adversarial distillation, which learns at the same time as the student.

It sees the class probabilities of student and teacher, softmax of the logits, brought to an eighth of the
image's size (bilinear, antialiased; sides rounded down), with the image. On every batch the discriminator
first takes one step on :func:`~distill.losses.adversarial.discriminator_loss`; then the student's term is ::

    weight·(−mean D(p^student, x))

with the discriminator after that step, which gets no gradient from this term.

Its optimiser is Adam with betas (0, 0.9) and a constant learning rate of 4e-4, as for the discriminator of
Zhang et al., *Self-Attention Generative Adversarial Networks*, ICML 2019 (the authors of the distillation use
the same rate with SGD). Everything is computed in FP32. Where several processes train, each sees its share
of the batch and the gradients are averaged, so that all of them keep the same discriminator; they start with
the same one because they start from the same seed.
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
from distill.training.optimiser import use_fused
from kd_seg_ros.common.errors import UserError

STRIDE = 8
"""Pixels of the image per value of the probabilities that the discriminator sees, along each side."""

BETAS = (0.0, 0.9)
"""Decay of Adam's first and second moment."""


class Adversary:
    """A discriminator with its optimiser.

    Not an nn.Module, and never copied, so that the student's optimiser, DDP and weight averaging leave it
    alone; its state goes into checkpoints by :meth:`state_dict`.
    """

    def __init__(self, config: AdversarialConfig, num_classes: int) -> None:
        self.weight = config.weight
        self.discriminator = Discriminator(num_classes)
        self.optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.learning_rate, betas=BETAS, fused=True
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Adversary:
        return self

    def step(self, student: Tensor, teacher: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Train the discriminator on one batch, then let it judge the student.

        :param student: the student's logits, [B, C, H, W].
        :param teacher: the teacher's logits, [B, C, H, W].
        :param image: [B, 3, H, W] as the networks see it.
        :returns: the student's weighted term, and the discriminator's loss without gradient.
        """
        # In FP32: the scaler that keeps small gradients from becoming 0 in FP16 does not see this optimiser.
        with torch.autocast(image.device.type, enabled=False):
            fake = probabilities(student)
            real = probabilities(teacher)
            image = image.float()

            # One step of the discriminator, with gradients averaged over the processes.
            loss = discriminator_loss(self.discriminator, fake, real, image)
            self.optimizer.zero_grad()
            loss.backward()
            for parameter in self.discriminator.parameters():
                assert parameter.grad is not None
                parameter.grad = mean_over_processes(parameter.grad)
            self.optimizer.step()

            # Its judgement of the student.
            return self.weight * generator_loss(self.discriminator, fake, image), loss.detach()

    def to(self, device: torch.device) -> None:
        """Move the discriminator and its optimiser's state."""
        self.discriminator.to(device)
        self.optimizer.load_state_dict(self.optimizer.state_dict())  # which moves it to the parameters

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the discriminator and its optimiser, as tensors and plain data."""
        return {"discriminator": self.discriminator.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Restore what :meth:`state_dict` returned.

        :raises UserError: if ``state`` is None, because the checkpoint is of a run without discriminator.
        """
        if state is None:
            raise UserError(
                "the checkpoint holds no discriminator: its run had no objective.adversarial; start a new run"
            )
        self.discriminator.load_state_dict(state["discriminator"])
        use_fused(state["optimizer"])
        self.optimizer.load_state_dict(state["optimizer"])

    def describe(self) -> str:
        """Say for the log how large the discriminator is and at which rate it learns."""
        count = f"{sum(p.numel() for p in self.discriminator.parameters()):,}".replace(",", " ")
        rate = self.optimizer.param_groups[0]["lr"]
        return f"discriminator: {count} extra parameters, learning rate {rate:g}, training only"


def probabilities(logits: Tensor) -> Tensor:
    """Return class probabilities at an eighth of the size of the logits, float32 [B, C, H/8, W/8]."""
    size = [side // STRIDE for side in logits.shape[-2:]]
    shares = logits.float().softmax(dim=1)
    return F.interpolate(shares, size, mode="bilinear", align_corners=False, antialias=True)
