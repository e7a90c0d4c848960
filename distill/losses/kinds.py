"""The kinds of losses that a configuration can name: what the catalogue says of each and how each is called.

PyTorch is imported only when a loss is called, so that a configuration can be read without it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from distill.losses.embedding_memory import EmbeddingMemory

FEATURE_PARAMETERS: Final = ("temperature", "beta", "power")
"""Parameters that some feature losses have, by their keys in a configuration."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The properties that every loss has."""

    name: str
    """The name in a configuration, of the module and, with ``_loss`` added, of the function."""
    source: str
    """The equation of the thesis and the publication."""
    over_whole_batch: bool = False
    """Whether the loss of a batch differs from the mean of its equal parts' losses, because its denominator
    depends on the data or because it compares images. Where several processes train, such a loss must
    exchange what it needs between them, see :mod:`distill.common.distributed`."""

    @property
    def function(self) -> Any:
        """The function that computes the loss."""
        return getattr(importlib.import_module(f"distill.losses.{self.name}"), f"{self.name}_loss")


@dataclass(frozen=True, kw_only=True)
class LabelLoss(Loss):
    """A loss of the student's logits on the labels."""

    title: str
    """What the log calls it."""
    main_term: str = "semantic"
    """Name of the term that (1 − λ) weighs in equation 3.2."""
    denominator: Literal["border weights", "pixels"] | None = None
    """What the loss divides a sum over the images by: the border weights of the labelled pixels, or their
    number. Its function then takes ``total``, this denominator for the whole batch, and the batch may be
    given in parts, whose losses add up. None: the batch is needed as a whole."""
    has_head_terms: bool = False
    """Whether its function takes ``(logits, heads, labels)`` and returns the weighted terms of the heads that
    exist in training only too, by name; else it takes ``(logits, labels, border weights)`` and returns the
    main term alone."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The further parameters that its function takes: name → key of the configuration's section objective."""

    def main_and_head_terms(
        self,
        logits: Tensor,
        heads: Mapping[str, Tensor],
        labels: Tensor,
        border_weights: Tensor,
        options: Mapping[str, float],
        total: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the terms by name, the main term first.

        :param logits: [B, C, H, W].
        :param heads: outputs of the heads that exist in training only, by name.
        :param labels: int64 [B, H, W], 0…C−1 or 255 (ignored).
        :param border_weights: [B, H, W], ≥ 0.
        :param options: value of each of :attr:`parameters` by its name.
        :param total: what :meth:`total` returned, where these are some images of the batch only; then there
            are no heads.
        """
        from distill.losses.pidnet import auxiliary_losses

        if self.has_head_terms:
            terms: dict[str, Tensor] = self.function(logits, heads, labels, **options)
            return terms
        whole_batch = {} if total is None else {"total": total}
        main = self.function(logits, labels, border_weights, **options, **whole_batch)
        return {self.main_term: main, **auxiliary_losses(heads, labels)}

    def total(self, labels: Tensor, border_weights: Tensor) -> Tensor | None:
        """Return :attr:`denominator` for a whole batch; None for a loss that has none."""
        from distill.losses._common import batch_total
        from kd_seg_ros.common.classes import IGNORE_ID

        if self.denominator is None:
            return None
        labelled = labels != IGNORE_ID
        counted = border_weights * labelled if self.denominator == "border weights" else labelled
        return batch_total(counted.sum())


@dataclass(frozen=True, kw_only=True)
class LogitLoss(Loss):
    """A loss between the class probabilities of student and teacher.

    Its function takes ``(student logits, teacher logits, pixel weights, temperature, total)``, the logits
    [B, C, H, W], the weights [B, H, W] and, where these are some images of a batch only, the sum of all its
    weights, see :func:`distill.losses._common.weighted_mean`.
    """

    pixel_weights: Literal["mask", "border"]
    """How a pixel counts: 1 where the teacher is wanted, or by the border weight there."""


@dataclass(frozen=True, kw_only=True)
class FeatureLoss(Loss):
    """A loss between a feature map of the student and one of the teacher, both [B, C, H, W]."""

    weight: float
    """α_f of equation 3.2 where the configuration gives none. The thesis gives no α_f anywhere: where others
    publish one, it is theirs."""
    weight_source: Literal["authors", "this project"]
    """Who proposes that weight."""
    weight_note: str
    """Where its authors give it, or why this project chose it."""
    logits_weight: float | None = None
    """α_f where the maps are the logits alone; None: the same as on features."""
    same_channels: bool = False
    """Whether both maps must have the same number of channels; height and width must always be the same."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Defaults of the function's parameters, by name, of those in :data:`FEATURE_PARAMETERS`."""
    needs_labels: bool = False
    """Whether the function takes ``labels`` that cover what the map covers, and ``num_classes``."""
    needs_memory: bool = False
    """Whether the function takes a ``memory`` of what the teacher saw in earlier batches."""

    def compare(
        self,
        student: Tensor,
        teacher: Tensor,
        labels: Tensor,
        num_classes: int,
        parameters: Mapping[str, float] | None = None,
        memory: EmbeddingMemory | None = None,
    ) -> Tensor:
        """Return the loss of one pair of maps, not weighted.

        :param labels: int64 [B, h, w] of any size, covering what the maps cover.
        :param parameters: in place of the defaults, by name; the loss must have them.
        :param memory: for a loss that needs one; None: it remembers this batch alone.
        """
        arguments: dict[str, Any] = {**self.parameters, **(parameters or {})}
        if self.needs_labels:
            arguments["labels"] = labels
            arguments["num_classes"] = num_classes
        if self.needs_memory:
            arguments["memory"] = memory
        value: Tensor = self.function(student, teacher, **arguments)
        return value


@dataclass(frozen=True, kw_only=True)
class AdversarialLoss(Loss):
    """The loss that a discriminator's judgement of the student makes."""

    weight: float
    """Weight where the configuration gives none: its authors'."""
    learning_rate: float
    """Learning rate of the discriminator where the configuration gives none."""

    @property
    def function(self) -> Any:
        """The loss of the student; that of the discriminator is ``discriminator_loss`` in the same module."""
        return importlib.import_module(f"distill.losses.{self.name}").generator_loss
