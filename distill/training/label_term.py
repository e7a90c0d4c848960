"""What the labels add to the objective: L_sem of equation 3.2 and the losses of training-only heads.

L_sem is the border-focal loss, cross-entropy, OHEM, or PIDNet's objective (:mod:`distill.losses.pidnet`), of
which (1 − λ) weighs the OHEM term alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from torch import Tensor

from distill.config import ObjectiveConfig
from distill.losses.catalogue import LABEL_LOSSES
from distill.models.output import Output
from distill.training.immediate_backward import ByImage, LossFunction

LABELS: Final = "labels"
"""Name of the part of the objective that the labels make."""


def label_function(
    config: ObjectiveConfig, student: Output, batch: Mapping[str, Tensor], terms: dict[str, Tensor]
) -> LossFunction | ByImage:
    """Return what computes L_sem and the terms of the training-only heads, by image where it can.

    :param batch: see :meth:`distill.training.objective.Objective.forward`.
    :param terms: to which the values are added by name, without gradient, when it is called.
    """
    loss = LABEL_LOSSES[config.semantic]
    total = loss.total(batch["labels"], batch["weights"])
    compute = partial(_losses, config=config, heads=list(student.auxiliary), batch=batch, terms=terms)
    if total is None or student.auxiliary:
        return partial(compute, images=slice(None), total=None)
    return ByImage(partial(compute, total=total))


def _losses(
    stand_ins: Sequence[Tensor],
    images: slice,
    *,
    config: ObjectiveConfig,
    heads: Sequence[str],
    batch: Mapping[str, Tensor],
    total: Tensor | None,
    terms: dict[str, Tensor],
) -> list[Tensor]:
    """Return L_sem and the weighted terms of the training-only heads, for some images of the batch.

    :param stand_ins: of the student's logits and of what its heads return.
    :param images: the images that the stand-ins are of.
    :param heads: names of the heads.
    :param total: the loss' denominator for the whole batch, where ``images`` are a part of it.
    :param terms: to which the values are added by name, without gradient.
    """
    loss = LABEL_LOSSES[config.semantic]
    options = {name: getattr(config, key) for name, key in loss.parameters.items()}
    losses = loss.main_and_head_terms(
        stand_ins[0],
        dict(zip(heads, stand_ins[1:], strict=True)),
        batch["labels"][images],
        batch["weights"][images],
        options,
        total,
    )
    losses[loss.main_term] = (1 - config.share) * losses[loss.main_term]
    for name, value in losses.items():
        add_term(terms, name, value)
    return list(losses.values())


def add_term(terms: dict[str, Tensor], name: str, value: Tensor) -> None:
    """Add the value for some images to a term, without gradient."""
    value = value.detach()
    terms[name] = terms[name] + value if name in terms else value
