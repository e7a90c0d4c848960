"""One feature loss of the objective: the maps it compares, their adapters, and the mean over them::

    1/M · Σ_m loss(A_m(F^student_m), F^teacher_m)

with M pairs of maps, A_m the adapter of a pair or nothing, and the teacher's maps as they are or whitened.
Without adapters, losses of :data:`SAME_WIDTH` need maps of one shape; the others, which compare relations
within a map, need the same height and width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from torch import Tensor, nn

from distill.config.objective import FeatureLossConfig
from distill.losses import (
    attention_transfer_loss,
    cad_loss,
    cross_image_relational_loss,
    cwd_loss,
    intra_class_variation_loss,
    l2_loss,
    lad_loss,
    local_similarity_loss,
    pad_loss,
    self_similarity_loss,
    whiten,
)
from distill.models.output import Output
from distill.training.adapters import Adapter
from distill.training.feature_maps import FeatureShape, FeatureShapes, feature_map, pad_labels
from distill.training.immediate_backward import immediate_backward
from kd_seg_ros.common.errors import UserError

SAME_WIDTH = ("l2", "cwd", "lad", "cad", "pad")
OF_TWO_MAPS = {
    "l2": l2_loss,
    "lad": lad_loss,
    "cad": cad_loss,
    "pad": pad_loss,
    "attention_transfer": attention_transfer_loss,
    "self_similarity": self_similarity_loss,
    "local_similarity": local_similarity_loss,
}
"""Losses that need the two maps and nothing else."""


class FeatureTerm(nn.Module):
    """The mean of one feature loss over its maps.

    :param name: of the term in the log.
    :param student: shapes of the student's maps by name, as is ``teacher``.
    :raises UserError: for a map that one of both lacks, or shapes that cannot be compared.
    """

    def __init__(
        self, name: str, config: FeatureLossConfig, student: FeatureShapes, teacher: FeatureShapes
    ) -> None:
        super().__init__()
        self.name = name
        self.config = config
        self.shapes = [(_find("student", student, s), _find("teacher", teacher, t)) for s, t in config.pairs]
        if config.adapters is None:
            self._demand_equal_shapes()
            self.adapters = None
        else:
            self.adapters = nn.ModuleList(Adapter(s, t, config.adapters) for s, t in self.shapes)

    def forward(self, student: Output, teacher: Output, labels: Tensor) -> Tensor:
        """Return the loss, not weighted.

        :param labels: int64 [B, H, W] of the image, without padding.
        """
        losses = [self._of_pair(pair, student, teacher, labels) for pair in range(len(self.config.pairs))]
        return sum(losses[1:], start=losses[0]) / len(losses)

    def _of_pair(self, pair: int, student: Output, teacher: Output, labels: Tensor) -> Tensor:
        name, teachers_name = self.config.pairs[pair]
        mine, other = feature_map(student, name), feature_map(teacher, teachers_name)
        target = whiten(other.values) if self.config.whiten else other.values
        adapter = None if self.adapters is None else self.adapters[pair]

        def loss(stand_ins: Sequence[Tensor]) -> list[Tensor]:
            (features,) = stand_ins
            if adapter is not None:
                features = adapter(mine._replace(values=features), other)
            if self.config.loss == "intra_class":
                covering = pad_labels(labels, other.padding)
                classes = student.logits.shape[1]
                return [intra_class_variation_loss(features, target, covering, classes)]
            return [self._distance(features, target)]

        return immediate_backward(loss, [mine.values], () if adapter is None else adapter.parameters())

    def _distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        loss, temperature = self.config.loss, self.config.temperature
        if temperature is None:
            return OF_TWO_MAPS[loss](student, teacher)
        if loss == "cwd":
            return cwd_loss(student, teacher, temperature)
        return cross_image_relational_loss(student, teacher, temperature)

    def _demand_equal_shapes(self) -> None:
        """Refuse pairs of maps that the loss cannot compare."""
        first = 0 if self.config.loss in SAME_WIDTH else 1
        what = ("number of channels, height and width", "height and width")[first]
        for (name, teachers_name), (mine, other) in zip(self.config.pairs, self.shapes, strict=True):
            if mine[first:] != other[first:]:
                raise UserError(
                    f"objective.features: {self.config.loss} needs maps of the same {what}; the student's "
                    f"{name} is {mine} and the teacher's {teachers_name} is {other}: set `adapters: true` "
                    "beside the loss, or name other maps"
                )

    def describe(self) -> str:
        """Say on what the loss is and with which weight, for the log."""
        maps = ", ".join(s if s == t else f"{s} → {t}" for s, t in self.config.pairs)
        whitened = ", whitened" if self.config.whiten else ""
        return f"{self.name} on {maps}{whitened} × {self.config.weight:g}"

    def describe_adapters(self) -> list[str]:
        """Say what each adapter brings to what, for the log."""
        if self.adapters is None:
            return []
        adapters = cast(Iterable[Adapter], self.adapters)
        rows = zip(self.config.pairs, self.shapes, adapters, strict=True)
        return [
            f"adapter of {self.name}: student {s} {mine} → teacher {t} {other}, {adapter.describe()}"
            for (s, t), (mine, other), adapter in rows
        ]


def _find(who: str, shapes: FeatureShapes, name: str) -> FeatureShape:
    if name not in shapes:
        raise UserError(f"objective.features: the {who} has no map {name!r}; it has {', '.join(shapes)}")
    return shapes[name]
