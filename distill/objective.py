"""What training minimises: equation 3.2 of the thesis, put together from :mod:`distill.losses`.

    total = (1 − λ)·L_sem + λ·L_KD + Σ α_f·L_features

L_sem is the border-focal loss, or PIDNet's objective (:mod:`distill.losses.pidnet`), of which (1 − λ) weighs
the OHEM term alone. λ is ``logits_weight`` where a KL term is chosen and 0 otherwise, so that a student
without one trains on the full semantic loss. Each feature loss is the mean over its maps.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from distill.config import FeatureLossConfig, ObjectiveConfig
from distill.losses.border_focal import border_focal_loss
from distill.losses.cwd import cwd_loss
from distill.losses.kl import kl_loss
from distill.losses.kl_border import kl_border_loss
from distill.losses.l2 import l2_loss
from distill.losses.lad import lad_loss
from distill.losses.pidnet import auxiliary_losses, pidnet_loss
from distill.models.output import Output
from kd_seg_ros.classes import IGNORE_ID
from kd_seg_ros.errors import UserError

OTHER_MAPS = ("pre_logits", "logits")
"""Maps beside the named features that a feature loss may be applied to."""


def objective(
    config: ObjectiveConfig, batch: Mapping[str, Tensor], student: Output, teacher: Output | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the total loss and its weighted terms by name.

    :param batch: ``labels`` int64 [B, H, W] and ``weights`` float [B, H, W] (border weights).
    :param teacher: required by every term but the semantic one.
    """
    labels, weights = batch["labels"], batch["weights"]
    share = config.logits_weight if config.logits != "none" else 0.0
    if config.semantic == "pidnet":
        terms = pidnet_loss(student.logits, student.auxiliary, labels)
        terms["ohem"] = (1 - share) * terms["ohem"]
    else:
        terms = {"semantic": (1 - share) * border_focal_loss(student.logits, labels, weights, config.gamma)}
        terms |= auxiliary_losses(student.auxiliary, labels)
    if teacher is not None:
        if config.logits == "kl":
            divergence = kl_loss(
                student.logits, teacher.logits, labels != IGNORE_ID, config.logits_temperature
            )
            terms["kl"] = share * divergence
        elif config.logits == "kl_border":
            divergence = kl_border_loss(student.logits, teacher.logits, weights, config.logits_temperature)
            terms["kl_border"] = share * divergence
        for term in config.features:
            terms[term.loss] = term.weight * feature_loss(term, student, teacher)
    total = sum(terms.values(), start=student.logits.new_zeros(()))
    return total, {name: value.detach() for name, value in terms.items()}


def check_maps(config: ObjectiveConfig, student: Mapping[str, int], teacher: Mapping[str, int]) -> None:
    """Refuse the name of a feature map that one of the two does not have.

    :param student: its feature maps and their strides, as is ``teacher``.
    """
    for name in (name for term in config.features for name in term.maps):
        for who, strides in (("student", student), ("teacher", teacher)):
            known = [*strides, *OTHER_MAPS]
            if name not in known:
                raise UserError(
                    f"objective.features: the {who} has no map {name!r}; it has {', '.join(known)}"
                )


def feature_loss(config: FeatureLossConfig, student: Output, teacher: Output) -> Tensor:
    """Mean of one feature loss over the maps it is applied to."""
    pairs = [(named_map(student, name), named_map(teacher, name)) for name in config.maps]
    if config.loss == "cwd":
        losses = [cwd_loss(s, t, config.temperature) for s, t in pairs]
    elif config.loss == "lad":
        losses = [lad_loss(s, t) for s, t in pairs]
    else:
        losses = [l2_loss(s, t) for s, t in pairs]
    return sum(losses[1:], start=losses[0]) / len(losses)


def named_map(output: Output, name: str) -> Tensor:
    """Look up a map by the name it has in a configuration."""
    if name == "logits":
        return output.logits
    return output.pre_logits if name == "pre_logits" else output.features[name]
