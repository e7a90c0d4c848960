"""Whether a picture that was decoded is the one that was meant."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.faults.images import FaultyImage, Outcome

LARGEST_DIFFERENCE: Final = 5.0
"""Mean difference, 0…255, that JPEG makes at most in such a picture."""


def wrong_picture(fault: FaultyImage, found: NDArray[np.uint8]) -> str:
    """Say what is wrong with what was decoded, RGB [H, W, 3]; empty if nothing is, or nothing is known."""
    if found.dtype != np.uint8 or found.ndim != 3 or found.shape[2] != 3:
        return f"decoded as {found.dtype} {list(found.shape)}"
    if fault.outcome is not Outcome.SAME:
        return ""
    if found.shape != fault.picture.shape:
        return f"decoded as {list(found.shape)}, not {list(fault.picture.shape)}"
    difference = float(np.abs(found.astype(int) - fault.picture).mean())
    return f"decoded with a mean difference of {difference:.1f}" if difference > LARGEST_DIFFERENCE else ""
