"""The contract of a model file: what the export writes and the vehicle reads, each name typed once.

=============== ============= ======= ======================================================
tensor          shape         type    meaning
=============== ============= ======= ======================================================
image           [H, W, 3]     uint8   input: colours, in the order that ``channels`` tells
channels        [3]           int64   optional input: which of red (0), green (1) and blue
                                      (2) each channel of the image is; :data:`RGB` unless
                                      given
mask            [H, W]        uint8   output: class id of the highest probability
confidence      [H, W]        uint8   output: round(255 · that probability), calibrated
probability     [H, W]        float32 output: that probability; computed always, fetched on
                                      request only
domain_distance [1]           float32 optional output: how far the image is from those of
                                      calibration, about 1 for one like them
=============== ============= ======= ======================================================

H and W are numbers, those of the model card, or names: then the file takes images of any size. Further
outputs do no harm. The model card (:mod:`kd_seg_ros.inference.card`) is the file's metadata under
:data:`METADATA_KEY`, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

IMAGE: Final = "image"
"""Name of the input, uint8 [H, W, 3]."""
CHANNELS: Final = "channels"
"""Name of the optional input, int64 [3]: which of red (0), green (1) and blue (2) each channel is."""
RGB: Final = (0, 1, 2)
"""Value of :data:`CHANNELS` for an image of red, green, blue; the default inside the file."""
BGR: Final = (2, 1, 0)
"""Value of :data:`CHANNELS` for an image of blue, green, red."""

MASK: Final = "mask"
"""Name of the output with class ids, uint8 [H, W]."""
CONFIDENCE: Final = "confidence"
"""Name of the output with round(255 · p), uint8 [H, W]; p is the calibrated probability of the class."""
PROBABILITY: Final = "probability"
"""Name of the output with p itself, float32 [H, W], 0…1."""
OUTPUTS: Final[Mapping[str, type[np.generic[Any]]]] = {
    MASK: np.uint8,
    CONFIDENCE: np.uint8,
    PROBABILITY: np.float32,
}
"""The outputs, all [H, W], with their types."""

DOMAIN_DISTANCE: Final = "domain_distance"
"""Name of the optional output with the image's distance from those of calibration, float32 [1], 0…∞; see
:mod:`kd_seg_ros.inference.domain`."""

NETWORK_IMAGE: Final = "network.image"
"""Name, inside the graph, of what the network alone takes: normalised and padded planes, RGB, float16 or
float32 [1, 3, h, w]. The margins are 0; of an odd one the larger half is below and to the right."""
NETWORK_LOGITS: Final = "network.logits"
"""Name, inside the graph, of what the network alone returns: its logits at its own stride, not yet calibrated
or upsampled, float16 or float32 [1, C, h', w']."""

BATCH: Final = "batch"
"""Name of the first side of :data:`NETWORK_IMAGE` and :data:`NETWORK_LOGITS`, instead of 1, in a file whose
network takes any number of images per run (``kd_seg export --batch``); the file itself takes one image."""

SCORES: Final = "scores"
"""First part of the names of values inside the graph, see :func:`scores_name`."""

METADATA_KEY: Final = "kd_seg_ros.card"
"""Key of the model card in the file's metadata."""

SIDES: Final = ("height", "width")
"""Names of the image's sides in a file that takes images of any size."""

OPSET: Final = 18
"""Version of ONNX's operators: the newest for which ONNX Runtime has always had a CUDA kernel of Resize."""
IR_VERSION: Final = 10
"""Version of ONNX's file format. ONNX Runtime 1.23, the last for Humble's Python, knows versions up to 11."""


def scores_name(stripe: int) -> str:
    """Return the name, inside the graph, of one stripe of the calibrated logits.

    The value is float32 [rows, C, W], every pixel's largest being 0; the rows of the image are cut into
    stripes, numbered from the top.
    """
    return f"{SCORES}.{stripe}"
