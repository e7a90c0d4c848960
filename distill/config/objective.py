"""Section ``objective``: which losses there are, how they are weighed and which feature maps they compare."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from distill.config.section import Count, Fraction, NotNegative, Positive, Section, one_of, section_or_switch
from distill.losses.catalogue import ADVERSARIAL_LOSS, FEATURE_LOSSES, LABEL_LOSSES, LOGIT_LOSSES
from distill.losses.kinds import FEATURE_PARAMETERS

NO_LOSS: Final = "none"
"""Value of ``logits`` where no loss compares the class probabilities."""

SIX_MAPS: Final = ("P4", "P8", "P16", "P32", "P64", "P128")
"""SwiftNet's feature maps, which the thesis distils."""


def _map_names(value: Any) -> Any:
    """Refuse what is neither a list nor a mapping of names, in words."""
    names = [*value, *value.values()] if isinstance(value, dict) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("give a list of map names, or a mapping of the student's names to the teacher's")
    if not names:
        raise ValueError("give at least one map")
    return value


JOINT: Final = "+"
"""Stands between the names of several maps of the student that an adapter makes one of."""


def _only_logits(maps: Any) -> bool:
    """Return whether a configuration's ``maps`` name the logits of both networks and nothing else."""
    names = [*maps, *maps.values()] if isinstance(maps, dict) else maps
    return isinstance(names, list | tuple) and bool(names) and all(name == "logits" for name in names)


class AdapterConfig(Section):
    """1×1 projectors that bring the student's maps to the teacher's width and size, in training only."""

    fuse: Literal["concatenation", "attention"] = "concatenation"
    """How several maps of the student, their names joined by ``+``, become one: stacked and then projected,
    or each projected and then weighed against the others pixel by pixel."""
    projectors: Count = 1
    """Number of projectors, whose outputs are averaged."""
    relu: bool = False
    """Apply a ReLU after each projector; only for teacher's maps without negative values."""


class MemoryConfig(Section):
    """What ``memory_bank`` remembers of the teacher's features, for each class."""

    pixels: Count = 2000
    """Vectors of single pixels that each class keeps, the newest; its authors keep 20 000."""
    regions: Count = 2000
    """Vectors of whole classes of an image that each class keeps, the newest."""
    pixels_per_image: Count = 16
    """Pixels of each class that an image adds at most."""
    pixel_contrasts: Count = 4096
    """Number of pixels' vectors that a step compares with, of all classes together."""
    region_contrasts: Count = 1024
    """Number of regions' vectors that a step compares with, of all classes together."""


class FeatureLossConfig(Section):
    """One feature loss, averaged over the maps it is applied to."""

    loss: Annotated[str, one_of("feature loss", FEATURE_LOSSES)]
    """Name of the loss, see docs/losses.md."""
    weight: Positive = 1.0
    """Weight α_f of equation 3.2; not given or null: that of docs/losses.md."""
    maps: Annotated[tuple[str, ...] | dict[str, str], BeforeValidator(_map_names)] = SIX_MAPS
    """Names of feature maps that student and teacher have both, or ``pre_logits``, ``logits``; where the two
    call them differently, the student's name → the teacher's. With ``adapters``, several maps of the student
    joined by ``+`` are fused into one: ``detail+context+boundary``."""
    temperature: Positive | None = None
    """Temperature, for a loss that has one; not given or null: that of docs/losses.md."""
    beta: Positive | None = None
    """Difference of two values up to which ``huber`` and ``smooth_l1`` square it; not given or null: that of
    docs/losses.md."""
    power: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    """Power of the values whose mean or maximum is the attention of ``attention_transfer`` and
    ``attention_transfer_max``; not given or null: that of docs/losses.md."""
    memory: MemoryConfig | None = None
    """Sizes of the memory of ``memory_bank``, for no other loss; not given or null: the defaults."""
    whiten: bool = False
    """Compare with the teacher's features brought to mean 0, variance 1 over the channels of each pixel."""
    adapters: Annotated[AdapterConfig | None, BeforeValidator(section_or_switch)] = None
    """Projectors between the student's maps and the loss; ``true`` for one per map, null for none."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """Give the loss' own weight and parameters where none are given."""
        if not isinstance(values, dict):
            return values
        loss = FEATURE_LOSSES.get(str(values.get("loss")))
        if loss is None:
            return values
        filled = dict(values)
        if values.get("weight") is None:
            on_logits = loss.logits_weight is not None and _only_logits(values.get("maps"))
            filled["weight"] = loss.logits_weight if on_logits else loss.weight
        for name in FEATURE_PARAMETERS:
            if values.get(name) is None:
                filled[name] = loss.parameters.get(name)
        if loss.needs_memory and values.get("memory") is None:
            filled["memory"] = {}
        return filled

    @model_validator(mode="after")
    def _check_parameters(self) -> FeatureLossConfig:
        for name in FEATURE_PARAMETERS:
            if getattr(self, name) is not None and name not in FEATURE_LOSSES[self.loss].parameters:
                having = [loss.name for loss in FEATURE_LOSSES.values() if name in loss.parameters]
                others = " and ".join([", ".join(having[:-1]), having[-1]])
                raise ValueError(f"{self.loss} has no {name}; {others} have one")
        if self.memory is not None and not FEATURE_LOSSES[self.loss].needs_memory:
            having = [loss.name for loss in FEATURE_LOSSES.values() if loss.needs_memory]
            raise ValueError(f"{self.loss} has no memory; {' and '.join(having)} has one")
        return self

    @model_validator(mode="after")
    def _check_joint(self) -> FeatureLossConfig:
        for names, _ in self.pairs:
            if JOINT in names and self.adapters is None:
                raise ValueError(f"{names}: several maps are fused by an adapter: set `adapters: true`")
            if not all(names.split(JOINT)):
                raise ValueError(f"{names}: the name of a map is missing before or after {JOINT!r}")
        return self

    @property
    def parameters(self) -> dict[str, float]:
        """Values of the loss' parameters by name, of those that it has."""
        return {name: getattr(self, name) for name in FEATURE_LOSSES[self.loss].parameters}

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Names of the student's maps, joined by :data:`JOINT` where several are fused, and the teacher's."""
        if isinstance(self.maps, dict):
            return tuple(self.maps.items())
        return tuple((name, name) for name in self.maps)


class AdversarialConfig(Section):
    """Holistic adversarial distillation: a discriminator learns to tell the student from the teacher."""

    weight: Positive = ADVERSARIAL_LOSS.weight
    """Weight of the student's loss."""
    learning_rate: Positive = ADVERSARIAL_LOSS.learning_rate
    """Learning rate of the discriminator, constant."""


class ObjectiveConfig(Section):
    """Equation 3.2: (1−λ)·L_sem + λ·L_KD + Σ α_f·L_features, and what the thesis surveys next to it."""

    semantic: Annotated[str, one_of("loss on the labels", LABEL_LOSSES)] = "border_focal"
    """Loss on the labels; ``pidnet`` is OHEM with the losses of the training-only heads."""
    gamma: NotNegative = 0.5
    """Focal exponent of the border-focal losses; without effect on others."""
    ohem_threshold: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Probability of the label below which ``ohem`` and ``pidnet`` count a pixel as hard; without effect on
    others."""
    ohem_keep: Count = 131_072
    """Least number of pixels of a batch that ``ohem`` and ``pidnet`` count, the hardest; without effect on
    others."""
    logits: Annotated[str, one_of("loss on the logits", (NO_LOSS, *LOGIT_LOSSES))] = NO_LOSS
    """Loss on the class probabilities of student and teacher, or ``none``."""
    logits_weight: Fraction = 0.5
    """Weight λ of the loss on the logits, while that on the labels has 1 − λ; without effect if ``logits`` is
    ``none``."""
    logits_temperature: Positive = 1.0
    """Temperature T by which the logits are divided before they are compared."""
    curriculum_temperature: bool = False
    """Learn the temperature, within 1…21, so that it makes the loss on the logits harder;
    ``logits_temperature`` must not be given then."""
    logits_projector: bool = False
    """Compare the teacher's logits with a 1×1 convolution of the student's, which learns with the student and
    starts as the identity; in training only. It needs a loss on the logits."""
    features: tuple[FeatureLossConfig, ...] = ()
    """Losses between feature maps of student and teacher."""
    adversarial: Annotated[AdversarialConfig | None, BeforeValidator(section_or_switch)] = None
    """Adversarial distillation; ``true`` for its authors' weight and learning rate, null for none."""

    @model_validator(mode="after")
    def _check_projector(self) -> ObjectiveConfig:
        if self.logits_projector and self.logits == NO_LOSS:
            raise ValueError(f"logits_projector needs a KL term: set logits to {' or '.join(LOGIT_LOSSES)}")
        return self

    @model_validator(mode="after")
    def _check_temperature(self) -> ObjectiveConfig:
        if self.curriculum_temperature and self.logits == NO_LOSS:
            raise ValueError(
                f"curriculum_temperature needs a KL term: set logits to {' or '.join(LOGIT_LOSSES)}"
            )
        if self.curriculum_temperature and self.logits_temperature != 1:
            raise ValueError("logits_temperature is learnt with curriculum_temperature: leave it out")
        return self

    @property
    def share(self) -> float:
        """The weight λ of the loss on the logits that is in effect: 0 without such a loss."""
        return 0.0 if self.logits == NO_LOSS else self.logits_weight

    @property
    def only_logits(self) -> bool:
        """True if no term compares other maps of the teacher than its logits."""
        return all(theirs == "logits" for term in self.features for _, theirs in term.pairs)

    @property
    def needs_teacher(self) -> bool:
        """True if any term compares the student with a teacher."""
        return self.logits != NO_LOSS or bool(self.features) or self.adversarial is not None
