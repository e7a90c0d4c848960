"""``objective``: which losses there are, how they are weighed and which feature maps they compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from distill.config.section import Count, Fraction, Positive, Section

WEIGHTS: Final[Mapping[str, float]] = {
    # The thesis'.
    "l2": 1.0,
    "cwd": 1.0,
    "lad": 1.0,
    "cad": 1.0,
    "pad": 1.0,
    # Their authors', in the paper or the code beside it.
    "attention_transfer": 1000.0,
    "self_similarity": 10.0,
    "cross_image": 1.0,
    "intra_class": 20.0,
    # Not the authors', whose weight could not be verified.
    "local_similarity": 1.0,
}
"""Weight of each feature loss where none is given."""

TEMPERATURES: Final[Mapping[str, float]] = {"cwd": 4.0, "cross_image": 0.1}
"""Of the feature losses that have one, where none is given."""

SIX_MAPS: Final = ("P4", "P8", "P16", "P32", "P64", "P128")
"""SwiftNet's, which the thesis distils."""


def _switch(value: Any) -> Any:
    """Read ``true`` as a section of defaults and ``false`` as none."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


def _names(value: Any) -> Any:
    """Refuse what is neither a list nor a mapping of names, in words."""
    names = [*value, *value.values()] if isinstance(value, dict) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("give a list of map names, or a mapping of the student's names to the teacher's")
    if not names:
        raise ValueError("give at least one map")
    return value


class AdapterConfig(Section):
    """1×1 projectors that bring the student's maps to the teacher's width and size, in training only."""

    projectors: Count = 1
    """So many are averaged."""
    relu: bool = False
    """A ReLU behind each; only for teacher's maps without negative values."""


class FeatureLossConfig(Section):
    """One feature loss, averaged over the maps it is applied to."""

    loss: Literal[
        "l2",
        "cwd",
        "lad",
        "cad",
        "pad",
        "attention_transfer",
        "self_similarity",
        "cross_image",
        "local_similarity",
        "intra_class",
    ]
    weight: Positive = 1.0
    """α_f of equation 3.2; not given or null: that of :data:`WEIGHTS`."""
    maps: Annotated[tuple[str, ...] | dict[str, str], BeforeValidator(_names)] = SIX_MAPS
    """Names of feature maps that student and teacher have both, or ``pre_logits``, ``logits``; where the two
    call them differently, the student's name → the teacher's."""
    temperature: Positive | None = None
    """Of ``cwd`` and ``cross_image`` alone; not given or null: that of :data:`TEMPERATURES`."""
    whiten: bool = False
    """Compare with the teacher's features brought to mean 0, variance 1 over the channels of each pixel."""
    adapters: Annotated[AdapterConfig | None, BeforeValidator(_switch)] = None
    """``true`` for one projector a map."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """Give the loss' own weight and temperature."""
        if not isinstance(values, dict):
            return values
        loss = str(values.get("loss"))
        own = {"weight": WEIGHTS.get(loss), "temperature": TEMPERATURES.get(loss)}
        missing = {key: value for key, value in own.items() if value and values.get(key) is None}
        return {**values, **missing}

    @model_validator(mode="after")
    def _check_temperature(self) -> FeatureLossConfig:
        if self.temperature is not None and self.loss not in TEMPERATURES:
            raise ValueError(f"{self.loss} has no temperature; {' and '.join(TEMPERATURES)} have one")
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Names of the student's and the teacher's maps that are compared."""
        if isinstance(self.maps, dict):
            return tuple(self.maps.items())
        return tuple((name, name) for name in self.maps)


class AdversarialConfig(Section):
    """Holistic adversarial distillation: a discriminator learns to tell the student from the teacher."""

    weight: Positive = 1e-3
    """Of the student's loss."""
    learning_rate: Positive = 4e-4
    """Of the discriminator, constant."""


class ObjectiveConfig(Section):
    """Equation 3.2: (1−λ)·L_sem + λ·L_KD + Σ α_f·L_features, and what the thesis surveys beside it."""

    semantic: Literal["border_focal", "border_focal_published", "pidnet"] = "border_focal"
    """Loss on the labels; ``pidnet`` is OHEM with the losses of the training-only heads."""
    gamma: Annotated[float, Field(ge=0)] = 0.5
    """Focal exponent of the border-focal losses."""
    logits: Literal["none", "kl", "kl_border"] = "none"
    logits_weight: Fraction = 0.5
    """λ; 0 in effect when ``logits`` is ``none``."""
    logits_temperature: Positive = 1.0
    curriculum_temperature: bool = False
    """Let the temperature of the logits learn to make it harder, 1…21, in place of ``logits_temperature``."""
    features: tuple[FeatureLossConfig, ...] = ()
    adversarial: Annotated[AdversarialConfig | None, BeforeValidator(_switch)] = None
    """``true`` for the authors' weight and learning rate."""

    @model_validator(mode="after")
    def _check_temperature(self) -> ObjectiveConfig:
        if self.curriculum_temperature and self.logits == "none":
            raise ValueError("curriculum_temperature needs a KL term: set logits to kl or kl_border")
        if self.curriculum_temperature and self.logits_temperature != 1:
            raise ValueError("logits_temperature is learnt with curriculum_temperature: leave it out")
        return self

    @property
    def share(self) -> float:
        """λ in effect."""
        return 0.0 if self.logits == "none" else self.logits_weight

    @property
    def needs_teacher(self) -> bool:
        """Whether any term compares the student with a teacher."""
        return self.logits != "none" or bool(self.features) or self.adversarial is not None
