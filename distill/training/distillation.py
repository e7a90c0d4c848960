"""The Lightning module of knowledge distillation: a student learns from labels and from a frozen teacher."""

from __future__ import annotations

import logging
import math
from itertools import chain
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException

from distill.checkpoints.student import deployed
from distill.common.distributed import mean_over_processes
from distill.config import Config
from distill.metrics import iou_per_class, mean_iou
from distill.metrics.device_confusion import DeviceConfusion
from distill.models.network import SegmentationNetwork
from distill.models.output import Output
from distill.training.adversary import Adversary
from distill.training.feature_maps import training_heads
from distill.training.finite_guard import FiniteGuard, Step
from distill.training.frozen_teacher import FrozenTeacher
from distill.training.gradient_log import GradientLog
from distill.training.gradient_shares import GradientShares, Shares
from distill.training.objective import make_objective
from distill.training.optimiser import (
    ScheduleFactor,
    clip_gradients,
    describe_optimiser,
    follow_configuration,
    leave_out_functions,
    make_optimiser,
    scale_of,
    settings_of,
    use_fused,
)
from distill.training.teacher_cache import TeacherCache
from distill.training.whole_images import WholeImages
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError, first_line

_logger = logging.getLogger(__name__)

ADVERSARY = "adversary"
"""Key of a checkpoint under which the discriminator and its optimiser are kept."""
MEMORIES = "memories"
"""Key of a checkpoint under which the memories of feature losses are kept."""


class Distillation(lightning.LightningModule):
    """Trains ``student`` on labels and, where the objective asks for it, on ``teacher``'s outputs.

    :param teacher: kept in evaluation mode, without gradients and out of every checkpoint.
    :param cache: keeps the teacher's outputs on disk.
    :raises UserError: if the objective asks for feature maps that the networks do not have or that cannot be
        compared.
    """

    def __init__(
        self,
        config: Config,
        student: SegmentationNetwork,
        teacher: nn.Module | None,
        cache: TeacherCache | WholeImages | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.class_names = config.data.class_names
        self.student = student
        self.save_hyperparameters({"config": config.model_dump(mode="json")})
        # Not a submodule: state_dict, optimiser, DDP, train() and weight averaging must not see it.
        self._frozen_teacher = None if teacher is None else FrozenTeacher(teacher, cache)
        adversarial = config.objective.adversarial
        self._adversary = None if adversarial is None else Adversary(adversarial, len(self.class_names))
        # A submodule: its adapters and temperature learn with the student, but are not part of it.
        self.objective = make_objective(config, student, teacher)
        self._guard = FiniteGuard()
        # Measured from on_train_start on, where there is a trainer to write to.
        self._gradients = GradientShares(None)
        self._gradient_log = GradientLog()
        self._steps = 1
        self._confusion = self._no_counts()
        self._pixels_to_learn: Tensor | None = None

    @property
    def teacher(self) -> nn.Module | None:
        """The teacher, if there is one."""
        return None if self._frozen_teacher is None else self._frozen_teacher.teacher

    def compile_networks(self) -> None:
        """Compile both networks by torch.compile; their names and parameters stay.

        They are compiled once per image size: graphs of free size fail in some releases of PyTorch.
        """
        # An earlier run of the same process may have fallen back to the networks as they are.
        torch.compiler.set_stance("default")
        self.student.compile(dynamic=False)
        if self.teacher is not None:
            self.teacher.compile(dynamic=False)

    def describe_objective(self) -> str:
        """Say for the log what is minimised, what learns together with the student, and how."""
        lines = [self.objective.describe(training_heads(self.student))]
        if self._adversary is not None:
            lines.append(self._adversary.describe())
        return "\n".join([*lines, describe_optimiser(self.config.training, self.student)])

    def _no_counts(self) -> DeviceConfusion:
        return DeviceConfusion(len(self.class_names), IGNORE_ID)

    def on_fit_start(self) -> None:
        """Bring teacher and discriminator to the student's device; Lightning moves only submodules."""
        if self._frozen_teacher is not None:
            self._frozen_teacher.prepare(self.device, str(self.trainer.precision))
            self._frozen_teacher.see_whole_images(self.device, self.trainer)
        if self._adversary is not None:
            self._adversary.to(self.device)

    def on_train_start(self) -> None:
        """Follow this configuration's schedule, Lightning restores the resumed run's; measure gradients."""
        follow_configuration(self._schedule, self._factor, self._settings)
        if self.config.objective.needs_teacher:  # with the labels alone there is nothing to compare
            self._gradients = GradientShares(self.config.training.gradient_shares)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the memories, the discriminator and its optimiser; Lightning keeps everything else.

        :raises UserError: if a loss of a step before was not finite: the weights may be spoilt.
        """
        self._guard.finish()
        checkpoint[MEMORIES] = self.objective.memory_state()
        if self._adversary is not None:
            checkpoint[ADVERSARY] = self._adversary.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the memories, discriminator and its optimiser; correct what Lightning restores."""
        for state in checkpoint["optimizer_states"]:
            use_fused(state)
        for state in checkpoint["lr_schedulers"]:
            leave_out_functions(state)
        self.objective.load_memory_state(checkpoint.get(MEMORIES, {}))
        if self._adversary is not None:
            self._adversary.load_state_dict(checkpoint.get(ADVERSARY))

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """Return the loss of one batch (equation 3.2), and log every term."""
        batch["image"] = batch["image"].contiguous(memory_format=torch.channels_last)
        with self._gradients.watching(self.student, self.global_step) as measured:
            teacher, student = self._outputs_compiled_or_not(batch)
        progress = min(1.0, self.global_step / self._steps)
        total, terms = self.objective(batch, student, teacher, progress)
        other_values = {}
        others: list[tuple[str, Tensor]] = []
        if self._adversary is not None:
            assert teacher is not None
            adversarial, discriminator = self._adversary.step(student.logits, teacher.logits, batch["image"])
            total = total + adversarial
            others.append(("adversarial", adversarial))
            terms["adversarial"], other_values["discriminator"] = adversarial.detach(), discriminator
        if self.objective.curriculum is not None:
            other_values["temperature"] = self.objective.curriculum(progress).detach()
        if measured:
            parts = chain(self.objective.each_part(batch, student, teacher, progress), others)
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)
            self._gradients.measure(self.global_step, parts, student, scale_of(scaler, total))
        self._write_gradients(self._gradients.arrived(self.global_step))
        self._log_terms(total.detach(), terms, other_values, batch)
        # Unlabelled images have no labels, but leave their pixels to the teacher.
        to_learn = (batch["labels"] != IGNORE_ID).sum() + batch["distil"].sum()
        self._pixels_to_learn = to_learn + (0 if self._pixels_to_learn is None else self._pixels_to_learn)
        return total

    def _outputs_compiled_or_not(self, batch: dict[str, Any]) -> tuple[Output | None, Output]:
        """Return what :meth:`_outputs` does; without compiled networks from the first time they fail on."""
        try:
            return self._outputs(batch)
        except TorchDynamoException as error:
            # Nothing has been changed yet: the same step, and all after it, with the networks as they are.
            torch.compiler.set_stance("force_eager")
            _logger.warning("training.compile: not compiled, and slower for it: %s", first_line(error))
            return self._outputs(batch)

    def _outputs(self, batch: dict[str, Any]) -> tuple[Output | None, Output]:
        """Return the outputs of the teacher, if there is one, and of the student."""
        # The teacher first: what it needs on its way is freed before the student's graph grows.
        asked = self._frozen_teacher if self.config.objective.needs_teacher else None
        teacher = None if asked is None else asked(batch)
        return teacher, self.student(batch["image"])

    def _log_terms(
        self,
        total: Tensor,
        terms: dict[str, Tensor],
        other_values: dict[str, Tensor],
        batch: dict[str, Any],
    ) -> None:
        """Log every term and its share of the total, as means over all processes.

        :param other_values: values by name that are logged but are no terms of the total.
        :raises UserError: in every process, where a value of any of them is NaN or infinite; on a GPU a few
            steps late, see :mod:`distill.training.finite_guard`.
        """
        named = {"loss": total, **terms, **other_values}
        values = mean_over_processes(torch.stack([value.to(total.dtype) for value in named.values()]))
        logged = dict(zip(named, values, strict=True))
        step = Step(self.global_step, self.current_epoch, batch["path"])
        self._guard.watch(list(named), values, step)
        size = len(batch["path"])
        self.log("train/loss", logged.pop("loss"), prog_bar=True, batch_size=size)
        self.log_dict({f"train/{name}": value for name, value in logged.items()}, batch_size=size)
        self.log_dict({f"share/{name}": logged[name] / values[0] for name in terms}, batch_size=size)

    def _write_gradients(self, measured: list[Shares]) -> None:
        """Write the gradients' shares that have arrived: the curves, the run's file, the log."""
        if measured and self.trainer.is_global_zero:
            self._gradient_log.write(measured, self.trainer.loggers, self.config.run_folder)

    def on_train_end(self) -> None:
        """Write the gradients' shares that are left."""
        self._write_gradients(self._gradients.finish())

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        """Segment one whole image as the vehicle would and count its pixels, on the device."""
        logits = deployed(self.student, self.config).to(self.device).logits(batch["image"])
        self._confusion.update(batch["labels"], logits[0].argmax(dim=0))

    def on_validation_epoch_end(self) -> None:
        """Log mIoU and per-class IoU over the pixels of all validation images.

        :raises UserError: if none of them has a label, so that there is no mIoU to choose a checkpoint by.
        """
        counts = self._confusion.counts(self.device)
        if self.trainer.world_size > 1:
            counts = self.trainer.strategy.reduce(counts, reduce_op="sum")
        confusion = self._confusion.matrix(counts)
        self._confusion = self._no_counts()
        if self.trainer.sanity_checking:
            return
        if not confusion.any():
            raise UserError(
                f"{self.config.data.root}: every pixel of the validation labels is ignored ({IGNORE_ID}), so "
                "there is no mIoU: check data.classes and the label files with `kd_seg check-data`"
            )
        # Every process logs the same value, because checkpoints and early stopping of each process read it.
        self.log("val/miou", mean_iou(confusion), prog_bar=True, sync_dist=True)
        for name, iou in zip(self.class_names, iou_per_class(confusion), strict=True):
            if not math.isnan(iou):
                self.log(f"val_iou/{name}", float(iou), sync_dist=True)

    def on_validation_start(self) -> None:
        """Look at the losses of all steps so far: spoilt weights must not be measured.

        :raises UserError: if one is not finite.
        """
        self._guard.finish()

    def on_train_epoch_end(self) -> None:
        """Make sure that the epoch had something to learn from.

        :raises UserError: if no pixel had a label, and none was left to the teacher either.
        """
        pixels = self._pixels_to_learn
        self._pixels_to_learn = None
        if pixels is not None and not mean_over_processes(pixels.float()):
            raise UserError(
                f"{self.config.data.root}: every pixel of the training labels is ignored ({IGNORE_ID}), so "
                "nothing is learnt: check data.classes and the label files with `kd_seg check-data`"
            )

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002
    ) -> None:
        """Shorten the gradient as ``training.gradient_clip`` says; Lightning's way refuses fused ones."""
        if gradient_clip_val is not None:
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)
            clip_gradients(optimizer, gradient_clip_val, scaler)

    def configure_optimizers(self) -> Any:
        """Return the optimiser and the schedule of ``training``, see :mod:`distill.training.optimiser`.

        A learnt temperature has no weight decay, which would pull it to the middle of its range.
        """
        training = self.config.training
        curriculum = self.objective.curriculum
        learnt = [] if curriculum is None else [*curriculum.parameters()]
        optimizer = make_optimiser(training, self.student, self.objective.learning_with_student(), learnt)
        # Of the epochs that are trained; the schedule may be made for more.
        steps = int(self.trainer.estimated_stepping_batches)
        self._steps = max(1, steps * training.epochs // training.last_epoch)
        self._factor = ScheduleFactor(training, self._steps)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._factor)
        self._settings = settings_of(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self._schedule, "interval": "step"}}
