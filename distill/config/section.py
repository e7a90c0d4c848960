"""What all sections of a configuration share: unknown keys are refused, values never change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kd_seg_ros.common.suggest import did_you_mean

Rgb = tuple[float, float, float]
"""Red, green and blue, each 0…1."""
Fraction = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Factor = Annotated[float, Field(ge=1 / 16, le=16)]
"""A factor by which images are resized."""
Side = Annotated[int, Field(gt=0, le=8192)]
"""A side of an image, pixels."""
Count = Annotated[int, Field(gt=0)]


FEW: Final = 5
"""Number of names up to which an error lists all of them."""


class Section(BaseModel):
    """Base of the sections. The docstring of a field is its description, in the documentation too."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


def section_or_switch(value: Any) -> Any:
    """Read ``true`` as a section of defaults and ``false`` as none; other values stay as they are."""
    if isinstance(value, bool):
        return {} if value else None
    return value


@dataclass(frozen=True)
class OneOf:
    """Refuses names that a catalogue does not have."""

    what: str
    """Kind of thing that is named, as in "data set"."""
    names: tuple[str, ...]
    """The names of the catalogue."""

    def __call__(self, name: str) -> str:
        """Return the name; raise ValueError for an unknown one, listing all or, of many, the nearest."""
        if name not in self.names:
            advice = "" if len(self.names) <= FEW else did_you_mean(name, self.names, 3)
            advice = advice or f"; choose from {', '.join(self.names)}"
            raise ValueError(f"unknown {self.what} {name!r}{advice}")
        return name


def one_of(what: str, names: Iterable[str]) -> AfterValidator:
    """Return the validator of a field whose text is one of a catalogue's names.

    :param what: kind of thing that is named, as in "data set".
    """
    check: Callable[[str], str] = OneOf(what, tuple(names))
    return AfterValidator(check)
