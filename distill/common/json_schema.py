"""Types of the values in JSON files that are read back, and what to say of a value that is wrong.

Numbers are checked strictly: JSON's ``true`` is no number, and NaN and infinity are refused.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError

Number = Annotated[StrictFloat, Field(allow_inf_nan=False, ge=-1e300, le=1e300)]
"""A finite number."""
Share = Annotated[StrictFloat, Field(ge=0, le=1, allow_inf_nan=False)]
"""A number within 0…1."""
Count = Annotated[StrictInt, Field(ge=0, le=2**62)]
"""A whole number from 0, small enough for int64."""
Positive = Annotated[StrictFloat, Field(gt=0, le=1e300, allow_inf_nan=False)]
"""A finite number above 0."""
Loss = Annotated[StrictFloat, Field(ge=0, le=1e300, allow_inf_nan=False)]
"""A finite number from 0."""
Digest = Annotated[StrictStr, Field(pattern="^[0-9a-f]{64}$")]
"""A SHA-256, hexadecimal."""


class Part(BaseModel):
    """An object of the document; further keys are kept."""

    model_config = ConfigDict(extra="allow")


class Reliability(Part):
    """Mean confidence, accuracy and share of pixels of each confidence bin; None in an empty bin."""

    confidence: list[Share | None] = Field(min_length=1)
    accuracy: list[Share | None]
    share: list[Share | None]


def first_fault(error: ValidationError) -> str:
    """Describe the first fault of a document: its place, the value there and what it should be."""
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{place} is missing"
    value = repr(fault["input"])
    if len(value) > 40:
        value = value[:40] + "…"
    # The name of a class of ours says nothing to the user.
    wanted = fault["msg"].partition(" or instance of ")[0]
    return f"{place} is {value}: {wanted[:1].lower()}{wanted[1:]}"
