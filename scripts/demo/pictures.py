"""Pictures of the demo's report, beside those of :mod:`distill.common.pictures`."""

from __future__ import annotations

import numpy as np

from distill.common.pictures import RGBImage, confidence_colours


def confidence_scale() -> RGBImage:
    """The colours from 0 to 255 in a row, for a legend."""
    return confidence_colours(np.arange(256, dtype=np.uint8)[None])
