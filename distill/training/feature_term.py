"""One feature loss of the objective: the maps it compares, their adapters, and the mean over them::

    1/M · Σ_m loss(A_m(F^student_m), F^teacher_m)

with M pairs of maps, A_m the adapter of a pair or nothing, and the teacher's maps as they are or whitened.
Without adapters, the catalogue of losses says whether two maps must have the same number of channels; they
must always have the same height and width. A loss with a memory has one for each pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import cast

from torch import Tensor, nn

from distill.config.objective import JOINT, FeatureLossConfig
from distill.losses.catalogue import FEATURE_LOSSES
from distill.losses.embedding_memory import EmbeddingMemory
from distill.losses.whitening import whiten
from distill.models.output import Output
from distill.training.adapters import Adapter
from distill.training.feature_maps import FeatureMap, FeatureShape, FeatureShapes, feature_map, pad_labels
from distill.training.immediate_backward import ByImage, LossFunction, immediate_backward, plain_sum
from kd_seg_ros.common.errors import UserError


class FeatureTerm(nn.Module):
    """The mean of one feature loss over its maps.

    :param name: the term's name in the log.
    :param student: shapes of the student's maps by name.
    :param teacher: shapes of the teacher's maps by name.
    :param immediate: differentiate as soon as the loss is computed.
    :raises UserError: for a map that one of both lacks, or shapes that cannot be compared.
    """

    def __init__(
        self,
        name: str,
        config: FeatureLossConfig,
        student: FeatureShapes,
        teacher: FeatureShapes,
        immediate: bool = True,
    ) -> None:
        super().__init__()
        self.name = name
        self.config = config
        self.immediate = immediate
        self.loss = FEATURE_LOSSES[config.loss]
        self.shapes = []
        for joint, name in config.pairs:
            students = [_find("student", student, own) for own in joint.split(JOINT)]
            self.shapes.append((students, _find("teacher", teacher, name)))
        if config.adapters is None:
            self._demand_equal_shapes()
            self.adapters = None
        else:
            self.adapters = nn.ModuleList(Adapter(s, t, config.adapters) for s, t in self.shapes)
        self.memories: list[EmbeddingMemory] = []
        if config.memory is not None:
            sizes = config.memory.model_dump()
            classes = _find("student", student, "logits").channels
            self.memories = [EmbeddingMemory(classes, t.channels, **sizes) for _, t in self.shapes]

    def remember(self, teacher: Output, labels: Tensor) -> None:
        """Add a batch to the memories, if the loss has any: once per batch, before the loss is computed.

        :param labels: int64 [B, H, W] of the image, without padding.
        """
        for pair, memory in enumerate(self.memories):
            teacher_map = feature_map(teacher, self.config.pairs[pair][1])
            memory.remember(self._target(teacher_map), pad_labels(labels, teacher_map.padding))

    def memory_state(self) -> list[dict[str, Tensor]]:
        """Return the state of the memory of each pair of maps; empty for a loss without memory."""
        return [memory.state_dict() for memory in self.memories]

    def load_memory_state(self, states: Sequence[dict[str, Tensor]] | None) -> None:
        """Restore what :meth:`memory_state` returned.

        :raises UserError: if there is none, or one of other sizes.
        """
        what = f"objective.features: the memory of {self.name}"
        advice = "give it as it was, or start a new run with --name and --student.checkpoint"
        if len(states or ()) != len(self.memories):
            raise UserError(f"{what} is not in the checkpoint: {advice}")
        for memory, state in zip(self.memories, states or (), strict=True):
            try:
                memory.load_state_dict(state)
            except ValueError as error:
                raise UserError(f"{what} has other sizes in the checkpoint: {error}: {advice}") from error

    def forward(self, student: Output, teacher: Output, labels: Tensor) -> Tensor:
        """Return the loss, not weighted.

        :param labels: int64 [B, H, W] of the image, without padding.
        """
        num_classes = student.logits.shape[1]
        losses = []
        for pair, (student_name, teacher_name) in enumerate(self.config.pairs):
            student_maps = [feature_map(student, name) for name in student_name.split(JOINT)]
            teacher_map = feature_map(teacher, teacher_name)
            adapter = None if self.adapters is None else cast(Adapter, self.adapters[pair])
            compare = partial(
                self._compare,
                students=student_maps,
                teacher=teacher_map,
                adapter=adapter,
                labels=labels,
                num_classes=num_classes,
                memory=self.memories[pair] if self.memories else None,
            )
            # A loss that needs the whole batch is given all images, any other one a few at a time.
            function: LossFunction | ByImage = ByImage(compare)
            if self.loss.over_whole_batch:
                function = partial(compare, images=slice(None))
            parameters = () if adapter is None else adapter.parameters()
            differentiate = immediate_backward if self.immediate else plain_sum
            values = [student_map.values for student_map in student_maps]
            losses.append(differentiate([function], values, parameters))
        return sum(losses[1:], start=losses[0]) / len(losses)

    def _compare(
        self,
        stand_ins: Sequence[Tensor],
        images: slice,
        *,
        students: Sequence[FeatureMap],
        teacher: FeatureMap,
        adapter: Adapter | None,
        labels: Tensor,
        num_classes: int,
        memory: EmbeddingMemory | None,
    ) -> list[Tensor]:
        """Return what some images add to the loss of one pair of maps, alone in a list.

        :param stand_ins: the values of the student's maps, in the place of those of ``students``.
        :param images: the images that these are of.
        """
        values = stand_ins[0]
        share = len(values) / len(students[0].values)
        teacher = teacher._replace(values=teacher.values[images])
        labels = labels[images]
        if adapter is not None:
            own = []
            for student, stand_in in zip(students, stand_ins, strict=True):
                own.append(student._replace(values=stand_in))
            values = adapter(own, teacher)
        target = self._target(teacher)
        if self.loss.needs_labels:
            # Networks pad images differently: the labels must cover what the teacher's map covers.
            labels = pad_labels(labels, teacher.padding)
        value = self.loss.compare(values, target, labels, num_classes, self.config.parameters, memory)
        return [share * value]

    def _target(self, teacher: FeatureMap) -> Tensor:
        """Return what the student is compared with, [B, C, h, w]."""
        return whiten(teacher.values) if self.config.whiten else teacher.values

    def _demand_equal_shapes(self) -> None:
        """Refuse pairs of maps that the loss cannot compare."""
        for (student_name, teacher_name), (students, teacher) in zip(
            self.config.pairs, self.shapes, strict=True
        ):
            student = students[0]  # without an adapter there is one
            fit = student[1:] == teacher[1:]
            what = "height and width"
            if self.loss.same_channels:
                fit = student == teacher
                what = "number of channels, height and width"
            if not fit:
                raise UserError(
                    f"objective.features: {self.loss.name} needs maps of the same {what}; the student's "
                    f"{student_name} is {student} and the teacher's {teacher_name} is {teacher}: set "
                    "`adapters: true` next to the loss, or name other maps"
                )

    def describe(self) -> str:
        """Say for the log which maps the loss compares and with which weight."""
        maps = ", ".join(s if s == t else f"{s} → {t}" for s, t in self.config.pairs)
        whitened = ", whitened" if self.config.whiten else ""
        megabytes = sum(memory.megabytes for memory in self.memories)
        memory = f", memory of {megabytes:.0f} MB, in every checkpoint," if self.memories else ""
        return f"{self.name} on {maps}{whitened}{memory} × {self.config.weight:g}"

    def describe_adapters(self) -> list[str]:
        """Say for the log what each adapter brings to what, one line per adapter."""
        if self.adapters is None:
            return []
        lines = []
        adapters = cast(Iterable[Adapter], self.adapters)
        for (s, t), (students, teacher), adapter in zip(
            self.config.pairs, self.shapes, adapters, strict=True
        ):
            sizes = JOINT.join(map(str, students))
            lines.append(
                f"adapter of {self.name}: student {s} {sizes} → teacher {t} {teacher}, {adapter.describe()}"
            )
        return lines


def _find(who: str, shapes: FeatureShapes, name: str) -> FeatureShape:
    if name not in shapes:
        raise UserError(f"objective.features: the {who} has no map {name!r}; it has {', '.join(shapes)}")
    return shapes[name]
