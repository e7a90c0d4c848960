"""Section ``data.appearance``: how strongly the look of training images varies, beyond ``data.jitter``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distill.config.section import Fraction, Section


class AppearanceConfig(Section):
    """Greatest strengths of changes of the look; every image draws its own, from none to the greatest."""

    cast: Fraction = 0.15
    """Colour cast: each channel times 1 ± this, as another white balance gives."""
    exposure: Annotated[float, Field(ge=0, le=4)] = 1.0
    """Exposure: values within 0…1 to the power of 2 to the ± this, darker and brighter."""
    blur: Annotated[float, Field(ge=0, le=32)] = 1.5
    """Blur: standard deviation of a Gaussian, in pixels of the network's input."""
    noise: Annotated[float, Field(ge=0, le=128)] = 12.0
    """Sensor noise: standard deviation, in levels of 0…255."""
    quality: Annotated[int, Field(ge=1, le=100)] = 30
    """Least quality of the JPEG that the image is compressed to and unpacked from; 100: no compression."""
    detail: Fraction = 0.4
    """Strength of textures: each of the image's four finest octaves times 1 ± this."""
