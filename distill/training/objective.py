"""What training minimises: equation 3.2 of the thesis, put together from :mod:`distill.losses`.

    total = (1 − λ)·L_sem + λ·L_KD + Σ α_f·L_features

L_sem is the border-focal loss, or PIDNet's objective (:mod:`distill.losses.pidnet`), of which (1 − λ) weighs
the OHEM term alone. λ is ``logits_weight`` where a KL term is chosen and 0 otherwise, so that a student
without one trains on the full semantic loss. Each feature loss is the mean over its maps
(:mod:`distill.training.feature_term`). The adversarial term, which has an opponent that learns, is added by
:mod:`distill.training.distillation`.

L_KD counts the pixels of the mask M, where the teacher's probabilities are wanted: the labelled pixels of a
labelled image, every pixel of an unlabelled one. KL takes M as it is; KL-border the border weights α where
these are above 0, and M elsewhere, so that an unlabelled pixel counts as one far from any border.

Every term is differentiated as soon as it is computed (:mod:`distill.training.immediate_backward`): of
full-size logits and maps there is never more in memory than one term needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from distill.config import Config, ObjectiveConfig
from distill.losses import (
    CurriculumTemperature,
    border_focal_loss,
    border_focal_loss_published,
    kl_border_loss,
    kl_loss,
    pidnet_loss,
)
from distill.losses.pidnet import AUXILIARY_WEIGHT, BOUNDARY_WEIGHT, auxiliary_losses
from distill.models.network import SegmentationNetwork
from distill.models.output import NOTHING, Output
from distill.training.feature_maps import FeatureShapes, feature_shapes
from distill.training.feature_term import FeatureTerm
from distill.training.immediate_backward import immediate_backward

SEMANTIC = {
    "border_focal": "border-focal",
    "border_focal_published": "border-focal as published",
    "pidnet": "PIDNet's, OHEM",
}


class Objective(nn.Module):
    """The objective of one experiment, with what learns beside the student: adapters and temperature.

    :param student: shapes of its maps by name, as is ``teacher``; needed for feature losses only.
    :raises UserError: for maps that do not exist or that a feature loss cannot compare.
    """

    def __init__(
        self, config: ObjectiveConfig, student: FeatureShapes = NOTHING, teacher: FeatureShapes = NOTHING
    ) -> None:
        super().__init__()
        self.config = config
        self.curriculum = CurriculumTemperature() if config.curriculum_temperature else None
        self.features = nn.ModuleList()
        counts: Counter[str] = Counter()
        for feature in config.features:
            counts[feature.loss] += 1
            number = counts[feature.loss]
            name = feature.loss if number == 1 else f"{feature.loss}_{number}"
            self.features.append(FeatureTerm(name, feature, student, teacher))

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

        def on_logits(stand_ins: Sequence[Tensor]) -> Iterator[Tensor]:
            heads = dict(zip(student.auxiliary, stand_ins[1:], strict=True))
            mine = student._replace(logits=stand_ins[0], auxiliary=heads)
            for found in (self._semantic, self._divergence):
                for name, value in found(batch, mine, teacher, progress).items():
                    terms[name] = value.detach()
                    yield value

        learnt = [] if self.curriculum is None else self.curriculum.parameters()
        total = immediate_backward(on_logits, [student.logits, *student.auxiliary.values()], learnt)
        if teacher is not None:
            for term in self.feature_terms:
                value = term.config.weight * term(student, teacher, batch["labels"])
                terms[term.name] = value.detach()
                total = total + value
        return total, terms

    @property
    def feature_terms(self) -> Iterable[FeatureTerm]:
        """The feature losses."""
        return cast(Iterable[FeatureTerm], self.features)

    def temperature(self, progress: float) -> float | Tensor:
        """Return the temperature of the logits after a share of training."""
        if self.curriculum is None:
            return self.config.logits_temperature
        temperature: Tensor = self.curriculum(progress)
        return temperature

    def _semantic(
        self, batch: Mapping[str, Tensor], student: Output, _teacher: Output | None, _progress: float
    ) -> dict[str, Tensor]:
        config, labels, weights = self.config, batch["labels"], batch["weights"]
        rest = 1 - config.share
        if config.semantic == "pidnet":
            terms = pidnet_loss(student.logits, student.auxiliary, labels)
            return terms | {"ohem": rest * terms["ohem"]}
        loss = border_focal_loss if config.semantic == "border_focal" else border_focal_loss_published
        semantic = rest * loss(student.logits, labels, weights, config.gamma)
        return {"semantic": semantic} | auxiliary_losses(student.auxiliary, labels)

    def _divergence(
        self, batch: Mapping[str, Tensor], student: Output, teacher: Output | None, progress: float
    ) -> dict[str, Tensor]:
        name, share = self.config.logits, self.config.share
        if name == "none" or teacher is None:
            return {}
        mask, weights, temperature = batch["distil"], batch["weights"], self.temperature(progress)
        if name == "kl":
            return {name: share * kl_loss(student.logits, teacher.logits, mask, temperature)}
        weights = torch.where(weights > 0, weights, mask.to(weights.dtype))
        return {name: share * kl_border_loss(student.logits, teacher.logits, weights, temperature)}

    def describe(self, heads: Collection[str] = ()) -> str:
        """Say with which weight each term counts, and what each adapter brings to what, for the log.

        :param heads: names of the student's outputs that exist in training only.
        """
        config, pidnet = self.config, self.config.semantic == "pidnet"
        terms = [f"{SEMANTIC[config.semantic]} × {1 - config.share:g}"]
        terms += [f"auxiliary head × {AUXILIARY_WEIGHT:g}"] if "semantic" in heads else []
        terms += [f"boundary head × {BOUNDARY_WEIGHT:g}"] if "boundary" in heads else []
        terms += ["OHEM at boundaries × 1"] if pidnet and "boundary" in heads else []
        if config.logits != "none":
            learnt = ", learnt" if self.curriculum else ""
            with torch.no_grad():
                temperature = float(self.temperature(0))
            terms.append(f"{config.logits} (temperature {temperature:.3g}{learnt}) × {config.share:g}")
        terms += [term.describe() for term in self.feature_terms]
        terms += [f"adversarial × {config.adversarial.weight:g}"] if config.adversarial else []
        adapters = [line for term in self.feature_terms for line in term.describe_adapters()]
        return "\n".join([f"objective: {' + '.join(terms)}", *adapters])


def make_objective(config: Config, student: nn.Module, teacher: nn.Module | None) -> Objective:
    """Make the objective of an experiment for its two networks.

    :raises UserError: see :class:`Objective`.
    """
    if not config.objective.features:
        return Objective(config.objective)
    assert isinstance(student, SegmentationNetwork)
    assert isinstance(teacher, SegmentationNetwork)  # teachers from outside have no features
    shapes = [feature_shapes(network, config.train_size) for network in (student, teacher)]
    return Objective(config.objective, *shapes)
