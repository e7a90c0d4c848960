"""Every loss that a configuration can name, once: what it needs, its weight and where it comes from.

The loss NAME is the function ``NAME_loss`` in ``distill/losses/NAME.py``. To add one, write that file, its
test ``test/distill/losses/test_NAME.py``, one entry below and a row of ``docs/losses.md``. The configuration,
its error messages, the training objective, and the tests of every precision and of several processes read
these tables.

PyTorch is imported only when a loss is called, so that a configuration can be read without it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from torch import Tensor


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
    """α_f of equation 3.2 where the configuration gives none."""
    weight_source: Literal["thesis", "authors", "this project"]
    """Who proposes that weight."""
    same_channels: bool = False
    """Whether both maps must have the same number of channels; height and width must always be the same."""
    temperature: float | None = None
    """Default of the function's parameter ``temperature``; None: it has none."""
    needs_labels: bool = False
    """Whether the function takes ``labels`` that cover what the map covers, and ``num_classes``."""

    def compare(
        self,
        student: Tensor,
        teacher: Tensor,
        labels: Tensor,
        num_classes: int,
        temperature: float | None = None,
    ) -> Tensor:
        """Return the loss of one pair of maps, not weighted.

        :param labels: int64 [B, h, w] of any size, covering what the maps cover.
        :param temperature: in place of the default, for losses that have one.
        """
        arguments: dict[str, Any] = {}
        if self.temperature is not None:
            arguments["temperature"] = self.temperature if temperature is None else temperature
        if self.needs_labels:
            arguments["labels"] = labels
            arguments["num_classes"] = num_classes
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


_FOCAL: Final = {"gamma": "gamma"}
_OHEM: Final = {"threshold": "ohem_threshold", "keep": "ohem_keep"}
_LABEL_LOSSES = (
    LabelLoss(
        name="cross_entropy",
        source="Shelhamer et al., CVPR 2015",
        over_whole_batch=True,
        denominator="pixels",
        title="cross-entropy",
    ),
    LabelLoss(
        name="border_focal",
        source="thesis 3.3",
        over_whole_batch=True,
        denominator="border weights",
        title="border-focal",
        parameters=_FOCAL,
    ),
    LabelLoss(
        name="border_focal_published",
        source="Oršić and Šegvić, Pattern Recognition 2021",
        over_whole_batch=True,
        denominator="pixels",
        title="border-focal as published",
        parameters=_FOCAL,
    ),
    LabelLoss(
        name="ohem",
        source="Shrivastava et al., CVPR 2016",
        over_whole_batch=True,
        title="OHEM",
        parameters=_OHEM,
    ),
    LabelLoss(
        name="pidnet",
        source="Xu et al., CVPR 2023",
        over_whole_batch=True,
        title="PIDNet's, OHEM",
        main_term="ohem",
        has_head_terms=True,
        parameters=_OHEM,
    ),
)
_LOGIT_LOSSES = (
    LogitLoss(
        name="kl", source="thesis 3.4; Hinton et al., 2015", over_whole_batch=True, pixel_weights="mask"
    ),
    LogitLoss(name="kl_border", source="thesis 3.5", over_whole_batch=True, pixel_weights="border"),
)
_FEATURE_LOSSES = (
    FeatureLoss(
        name="l2",
        source="thesis 3.6; Romero et al., ICLR 2015",
        weight=1.0,
        weight_source="thesis",
        same_channels=True,
    ),
    FeatureLoss(
        name="cwd",
        source="thesis 3.7, 3.8; Shu et al., ICCV 2021",
        weight=1.0,
        weight_source="thesis",
        same_channels=True,
        temperature=4.0,
    ),
    FeatureLoss(
        name="lad", source="thesis 3.9, squared", weight=1.0, weight_source="thesis", same_channels=True
    ),
    FeatureLoss(
        name="cad", source="thesis 3.9, per channel", weight=1.0, weight_source="thesis", same_channels=True
    ),
    FeatureLoss(
        name="pad", source="thesis 3.9, per pixel", weight=1.0, weight_source="thesis", same_channels=True
    ),
    FeatureLoss(
        name="attention_transfer",
        source="Zagoruyko and Komodakis, ICLR 2017",
        weight=1000.0,
        weight_source="authors",
    ),
    FeatureLoss(name="self_similarity", source="Liu et al., CVPR 2019", weight=10.0, weight_source="authors"),
    FeatureLoss(
        name="cross_image",
        source="Yang et al., CVPR 2022",
        over_whole_batch=True,
        weight=1.0,
        weight_source="authors",
        temperature=0.1,
    ),
    FeatureLoss(
        name="local_similarity", source="Xie et al., BMVC 2018", weight=1.0, weight_source="this project"
    ),
    FeatureLoss(
        name="intra_class",
        source="Wang et al., ECCV 2020",
        over_whole_batch=True,
        weight=20.0,
        weight_source="authors",
        needs_labels=True,
    ),
)

LABEL_LOSSES: Final[Mapping[str, LabelLoss]] = {loss.name: loss for loss in _LABEL_LOSSES}
LOGIT_LOSSES: Final[Mapping[str, LogitLoss]] = {loss.name: loss for loss in _LOGIT_LOSSES}
FEATURE_LOSSES: Final[Mapping[str, FeatureLoss]] = {loss.name: loss for loss in _FEATURE_LOSSES}
ADVERSARIAL_LOSS: Final = AdversarialLoss(
    name="adversarial", source="Liu et al., CVPR 2019", weight=1e-3, learning_rate=4e-4
)

ALL_LOSSES: Final[Mapping[str, Loss]] = {
    **LABEL_LOSSES,
    **LOGIT_LOSSES,
    **FEATURE_LOSSES,
    ADVERSARIAL_LOSS.name: ADVERSARIAL_LOSS,
}
