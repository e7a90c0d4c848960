"""``objective``: which losses there are, how they are weighed and which feature maps they compare."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from distill.config.section import Fraction, Positive, Section


class FeatureLossConfig(Section):
    """One feature loss, averaged over the maps it is applied to."""

    loss: Literal["l2", "cwd", "lad"]
    weight: Positive = 1.0
    """α_f of equation 3.2."""
    maps: tuple[str, ...] = ("P4", "P8", "P16", "P32", "P64", "P128")
    """Names of feature maps that student and teacher have both, or ``pre_logits``, ``logits``."""
    temperature: Positive = 4.0
    """Of CWD; the other losses have none."""


class ObjectiveConfig(Section):
    """Equation 3.2: (1−λ)·L_sem + λ·L_KD + Σ α_f·L_features."""

    semantic: Literal["border_focal", "pidnet"] = "border_focal"
    """Loss on the labels; ``pidnet`` is OHEM with the losses of the training-only heads."""
    gamma: Annotated[float, Field(ge=0)] = 0.5
    """Focal exponent of the border-focal loss."""
    logits: Literal["none", "kl", "kl_border"] = "none"
    logits_weight: Fraction = 0.5
    """λ; 0 in effect when ``logits`` is ``none``."""
    logits_temperature: Positive = 1.0
    features: tuple[FeatureLossConfig, ...] = ()

    @property
    def needs_teacher(self) -> bool:
        """Whether any term compares the student with a teacher."""
        return self.logits != "none" or bool(self.features)
