"""``data``: where the images are and how they are varied in training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from distill.config.section import Count, Fraction, Positive, Rgb, Section

Condition = Literal["fog", "night", "rain", "snow"]


class DataConfig(Section):
    """Where the images are and how they are varied in training (the thesis' Table 4.5)."""

    root: str
    """Folder with ``rgb_anon`` and ``gt`` in ACDC's layout."""
    dataset: str = "ACDC"
    """What the data is, in words; it goes into the model card."""
    limitations: str = ""
    """What a model trained on it must not be used for; it goes into the model card."""
    conditions: tuple[Condition, ...] = ("fog", "night", "rain", "snow")
    mean: Rgb = (0.40876, 0.38671, 0.37331)
    std: Rgb = (0.26754, 0.27372, 0.29312)
    scale: tuple[Positive, Positive] = (0.5, 2.0)
    """Range of the random scale."""
    crop: tuple[Count, Count] = (1080, 1080)
    """Height, width of the random crop, in pixels after scaling."""
    working_scale: Positive = 0.8
    """The network sees crops, and later whole images, resized by this factor."""
    jitter: Fraction = 0.2
    """Strength of the photometric jitter."""
    workers: Annotated[int, Field(ge=0)] = 4

    @model_validator(mode="after")
    def _check_order(self) -> DataConfig:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale must be [smallest, largest], not {list(self.scale)}")
        return self
