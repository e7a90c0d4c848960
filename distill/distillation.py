"""The Lightning module of knowledge distillation: a student learns, a frozen teacher shows it how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from distill.checkpoint import deployed
from distill.config import Config
from distill.metrics import confusion_matrix, iou_per_class, mean_iou
from distill.models.network import SegmentationNetwork
from distill.objective import objective
from kd_seg_ros.classes import CLASS_NAMES, IGNORE_ID
from kd_seg_ros.errors import UserError


class Frozen:
    """Holds a teacher out of sight of PyTorch and Lightning: no submodule, and never copied."""

    def __init__(self, module: nn.Module | None) -> None:
        self.module = module
        if module is not None:
            module.requires_grad_(False).eval()

    def __deepcopy__(self, memo: dict[int, Any]) -> Frozen:
        return self


class Distillation(lightning.LightningModule):
    """Trains ``student`` on labels and, where the objective asks for it, on ``teacher``'s outputs.

    :param teacher: kept in evaluation mode, without gradients and out of every checkpoint.
    :param class_names: of the labels, in the order of the trainIds.
    """

    def __init__(
        self,
        config: Config,
        student: SegmentationNetwork,
        teacher: nn.Module | None,
        class_names: Sequence[str] = CLASS_NAMES,
    ) -> None:
        super().__init__()
        self.config = config
        self.class_names = tuple(class_names)
        self.student = student
        self.save_hyperparameters(
            {"config": config.model_dump(mode="json"), "class_names": list(self.class_names)}
        )
        # Not a submodule: state_dict, optimiser, DDP, train() and weight averaging must not see it.
        self._frozen = Frozen(teacher)
        self._confusion = np.zeros((len(self.class_names), len(self.class_names) + 1), np.int64)

    @property
    def teacher(self) -> nn.Module | None:
        """The teacher, if there is one."""
        return self._frozen.module

    def on_fit_start(self) -> None:
        """Bring the teacher to the student's device; Lightning moves only submodules."""
        if self.teacher is not None:
            self.teacher.to(self.device)

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """One batch's loss (equation 3.2), with every term logged."""
        student = self.student(batch["image"])
        teacher = None
        if self.teacher is not None:
            with torch.no_grad():
                teacher = self.teacher(batch["image"])
        total, terms = objective(self.config.objective, batch, student, teacher)
        self._demand_finite(total, terms, batch["path"])
        size = len(batch["image"])
        self.log("train/loss", total, prog_bar=True, batch_size=size)
        self.log_dict({f"train/{name}": value for name, value in terms.items()}, batch_size=size)
        share = {f"share/{name}": value / total.detach() for name, value in terms.items()}
        self.log_dict(share, batch_size=size)
        return total

    def _demand_finite(self, total: Tensor, terms: dict[str, Tensor], files: list[str]) -> None:
        """Stop at the first NaN or infinity: it would spoil every weight."""
        if torch.isfinite(total):
            return
        wrong = [name for name, value in terms.items() if not torch.isfinite(value)] or ["total"]
        raise UserError(
            f"training stopped at step {self.global_step}, epoch {self.current_epoch}: the loss term "
            f"{', '.join(wrong)} is not finite for the batch {', '.join(files)}; "
            "the checkpoints written before it are good"
        )

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        """Segment one whole image as the vehicle would and count its pixels."""
        logits = deployed(self.student, self.config).to(self.device).logits(batch["image"])
        mask = logits[0].argmax(dim=0).to(torch.uint8)
        self._confusion += confusion_matrix(
            batch["labels"].cpu().numpy(), mask.cpu().numpy(), len(self.class_names), IGNORE_ID
        )

    def on_validation_epoch_end(self) -> None:
        """Log mIoU and per-class IoU over the pixels of all validation images."""
        confusion = self._confusion
        if self.trainer.world_size > 1:
            pooled = self.trainer.strategy.reduce(
                torch.from_numpy(confusion).to(self.device), reduce_op="sum"
            )
            confusion = pooled.cpu().numpy()
        self._confusion = np.zeros_like(self._confusion)
        if self.trainer.sanity_checking:
            return
        self.log("val/miou", mean_iou(confusion), prog_bar=True, rank_zero_only=True)
        for name, iou in zip(self.class_names, iou_per_class(confusion), strict=True):
            if not math.isnan(iou):
                self.log(f"val_iou/{name}", float(iou), rank_zero_only=True)

    def configure_optimizers(self) -> Any:
        """Adam with a cosine schedule over all steps; the backbone learns slower."""
        training = self.config.training
        backbone = set(self.student.backbone_parameters())
        groups: list[dict[str, Any]] = [
            {"params": [p for p in self.student.parameters() if p not in backbone]},
            {
                "params": [p for p in self.student.parameters() if p in backbone],
                "lr": training.learning_rate * training.backbone_factor,
            },
        ]
        optimizer = torch.optim.Adam(
            groups, lr=training.learning_rate, betas=training.betas, weight_decay=training.weight_decay
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
