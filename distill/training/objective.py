"""What training minimises: equation 3.2 of the thesis, put together from :mod:`distill.losses`.

    total = (1 − λ)·L_sem + λ·L_KD + Σ α_f·L_features

L_sem is the border-focal loss, cross-entropy, OHEM, or PIDNet's objective (:mod:`distill.losses.pidnet`), of
which (1 − λ) weighs the OHEM term alone. λ is ``logits_weight`` where a KL term is chosen and 0 otherwise, so
that a student without one trains on the full semantic loss. Each feature loss is the mean over its maps
(:mod:`distill.training.feature_term`). The adversarial term, which has an opponent that learns, is added by
:mod:`distill.training.distillation`.

L_KD compares the student's logits, or a 1×1 convolution of them that learns with the student
(:func:`~distill.losses.projector.logit_projector`). It counts the pixels of the mask M, where the teacher's
probabilities are wanted: the labelled pixels of a labelled image, every pixel of an unlabelled one.
Pseudo-labels (:mod:`distill.training.pseudo_labels`) are labels here. KL takes M as it is; KL-border the
border weights α where these are above 0, and M elsewhere, so that an unlabelled pixel counts as one far from
any border.

Every term is differentiated as soon as it is computed (:mod:`distill.training.immediate_backward`): of
full-size logits and maps there is never more in memory than one term needs for a few images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from distill.config import Config, ObjectiveConfig
from distill.config.objective import NO_LOSS
from distill.losses._common import batch_total
from distill.losses.catalogue import LABEL_LOSSES, LOGIT_LOSSES
from distill.losses.curriculum_temperature import CurriculumTemperature
from distill.losses.pidnet import AUXILIARY_WEIGHT, BOUNDARY_WEIGHT
from distill.losses.projector import logit_projector
from distill.models.network import SegmentationNetwork
from distill.models.output import NOTHING, Output
from distill.training.feature_maps import FeatureShapes, feature_shapes
from distill.training.feature_term import FeatureTerm
from distill.training.immediate_backward import ByImage, LossFunction, immediate_backward, plain_sum
from distill.training.label_term import LABELS, add_term, label_function
from kd_seg_ros.common.classes import NUM_CLASSES


class Objective(nn.Module):
    """The objective of one experiment, with what learns with the student: adapters and temperature.

    :param student: shapes of the student's maps by name; needed for feature losses only, as is ``teacher``.
    :param teacher: shapes of the teacher's maps by name.
    :param num_classes: C of the logits.
    :param immediate: differentiate every term as soon as it is computed, with the same gradients for less
        memory; False is for measuring what that saves.
    :raises UserError: for maps that do not exist or that a feature loss cannot compare.
    """

    def __init__(
        self,
        config: ObjectiveConfig,
        student: FeatureShapes = NOTHING,
        teacher: FeatureShapes = NOTHING,
        *,
        num_classes: int = NUM_CLASSES,
        immediate: bool = True,
    ) -> None:
        super().__init__()
        self.config = config
        self.immediate = immediate
        self.curriculum = CurriculumTemperature() if config.curriculum_temperature else None
        self.projector = logit_projector(num_classes) if config.logits_projector else None
        self.features = nn.ModuleList()
        counts: Counter[str] = Counter()
        for feature in config.features:
            counts[feature.loss] += 1
            number = counts[feature.loss]
            name = feature.loss if number == 1 else f"{feature.loss}_{number}"
            self.features.append(FeatureTerm(name, feature, student, teacher, immediate))

    def forward(
        self, batch: Mapping[str, Tensor], student: Output, teacher: Output | None, progress: float = 0.0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total loss, and its weighted terms by name without gradient.

        :param batch: ``labels`` int64 [B, H, W], ``weights`` float [B, H, W] (border weights) and ``distil``
            bool [B, H, W] (the mask M).
        :param teacher: required by every term but the semantic one.
        :param progress: share of training done, 0…1.
        """
        terms: dict[str, Tensor] = {}
        functions = self._functions_of_logits(batch, student, teacher, progress, terms)
        total = self._differentiate([*functions.values()], student)
        if teacher is not None:
            for term in self.feature_terms:
                term.remember(teacher, batch["labels"])
                value = term.config.weight * term(student, teacher, batch["labels"])
                terms[term.name] = value.detach()
                total = total + value
        return total, terms

    def each_part(
        self, batch: Mapping[str, Tensor], student: Output, teacher: Output | None, progress: float = 0.0
    ) -> Iterator[tuple[str, Tensor]]:
        """Compute the parts of the total one by one, each with a graph of its own; the labels' come first.

        The parameters are those of :meth:`forward`. Only one part exists at a time if the caller keeps none,
        so that this needs hardly more memory than the total.

        :returns: pairs of :data:`LABELS`, which has the terms of the training-only heads in it, or the name
            of a term, and its weighted value.
        """
        for name, function in self._functions_of_logits(batch, student, teacher, progress, {}).items():
            yield name, self._differentiate([function], student)
        if teacher is not None:
            for term in self.feature_terms:
                yield term.name, term.config.weight * term(student, teacher, batch["labels"])

    def _functions_of_logits(
        self,
        batch: Mapping[str, Tensor],
        student: Output,
        teacher: Output | None,
        progress: float,
        terms: dict[str, Tensor],
    ) -> dict[str, LossFunction | ByImage]:
        """Return what computes the losses of the student's logits and training-only heads, by part.

        :param terms: to which the values of the terms are added by name, without gradient.
        """
        functions = {LABELS: label_function(self.config, student, batch, terms)}
        if self.config.logits != NO_LOSS and teacher is not None:
            weights = self._pixel_weights(batch)
            compute = partial(
                self._logit_losses,
                teacher=teacher,
                weights=weights,
                total=batch_total(weights.sum()),
                progress=progress,
                terms=terms,
            )
            functions[self.config.logits] = ByImage(compute)
        return functions

    def _differentiate(self, functions: Sequence[LossFunction | ByImage], student: Output) -> Tensor:
        """Return the sum of some functions of the student's logits and training-only heads."""
        learnt: list[nn.Parameter] = []
        for part in (self.curriculum, self.projector):
            learnt += [] if part is None else part.parameters()
        differentiate = immediate_backward if self.immediate else plain_sum
        return differentiate(functions, [student.logits, *student.auxiliary.values()], learnt)

    def learning_with_student(self) -> list[nn.Parameter]:
        """Return what learns as the student does: adapters and the projector of the logits."""
        projector = [] if self.projector is None else self.projector.parameters()
        return [*self.features.parameters(), *projector]

    def memory_state(self) -> dict[str, list[dict[str, Tensor]]]:
        """Return what the feature losses with a memory remember, by term."""
        return {term.name: term.memory_state() for term in self.feature_terms if term.memories}

    def load_memory_state(self, state: Mapping[str, Sequence[dict[str, Tensor]]]) -> None:
        """Restore what :meth:`memory_state` returned.

        :raises UserError: if a memory is missing or of other sizes.
        """
        for term in self.feature_terms:
            term.load_memory_state(state.get(term.name))

    @property
    def feature_terms(self) -> Iterable[FeatureTerm]:
        """The feature losses with their maps and adapters."""
        return cast(Iterable[FeatureTerm], self.features)

    def temperature(self, progress: float) -> float | Tensor:
        """Return the temperature of the logits after a share of training."""
        if self.curriculum is None:
            return self.config.logits_temperature
        temperature: Tensor = self.curriculum(progress)
        return temperature

    def _pixel_weights(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return how much each pixel counts in the loss of the logits, [B, H, W]."""
        mask = batch["distil"]
        if LOGIT_LOSSES[self.config.logits].pixel_weights == "mask":
            return mask
        border_weights = batch["weights"]
        return torch.where(border_weights > 0, border_weights, mask.to(border_weights.dtype))

    def _logit_losses(
        self,
        stand_ins: Sequence[Tensor],
        images: slice,
        *,
        teacher: Output,
        weights: Tensor,
        total: Tensor,
        progress: float,
        terms: dict[str, Tensor],
    ) -> list[Tensor]:
        """Return λ·L_KD for some images of the batch, alone in a list.

        :param stand_ins: of the student's logits and of what its heads return.
        :param images: the images that the stand-ins are of.
        :param weights: how much each pixel of the whole batch counts, [B, H, W].
        :param total: their sum.
        :param terms: to which the value is added by name, without gradient.
        """
        loss = LOGIT_LOSSES[self.config.logits]
        temperature = self.temperature(progress)
        logits = stand_ins[0] if self.projector is None else self.projector(stand_ins[0])
        value = loss.function(logits, teacher.logits[images], weights[images], temperature, total)
        value = self.config.share * value
        add_term(terms, loss.name, value)
        return [value]

    def describe(self, heads: Collection[str] = ()) -> str:
        """Say for the log with which weight each term counts, and what each adapter brings to what.

        :param heads: names of the student's outputs that exist in training only.
        """
        config, label_loss = self.config, LABEL_LOSSES[self.config.semantic]
        terms = [f"{label_loss.title} × {1 - config.share:g}"]
        if "semantic" in heads:
            terms.append(f"auxiliary head × {AUXILIARY_WEIGHT:g}")
        if "boundary" in heads:
            terms.append(f"boundary head × {BOUNDARY_WEIGHT:g}")
            if label_loss.has_head_terms:
                terms.append("OHEM at boundaries × 1")
        if config.logits != NO_LOSS:
            learnt = ", learnt" if self.curriculum else ""
            with torch.no_grad():
                temperature = float(self.temperature(0))
            projected = ", projected student" if self.projector else ""
            terms.append(
                f"{config.logits} (temperature {temperature:.3g}{learnt}{projected}) × {config.share:g}"
            )
        lines = []
        for term in self.feature_terms:
            terms.append(term.describe())
            lines += term.describe_adapters()
        if config.adversarial:
            terms.append(f"adversarial × {config.adversarial.weight:g}")
        return "\n".join([f"objective: {' + '.join(terms)}", *lines])


def make_objective(config: Config, student: nn.Module, teacher: nn.Module | None) -> Objective:
    """Make the objective of an experiment for its two networks.

    :raises UserError: see :class:`Objective`.
    """
    num_classes = len(config.data.class_names)
    if not config.objective.features:
        return Objective(config.objective, num_classes=num_classes)
    assert isinstance(student, SegmentationNetwork)
    assert isinstance(teacher, SegmentationNetwork)  # external teachers have no feature maps
    size = config.train_size
    shapes = feature_shapes(student, size), feature_shapes(teacher, size)
    return Objective(config.objective, *shapes, num_classes=num_classes)
