"""Comparing the kernels with the nodes of the model file that they take the place of, when a model is opened.

The nodes run on the CPU, once, on random numbers. What the model card tells wrongly, or the compiler or the
kernels do wrongly, is found here: the file's own nodes do the work then.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import (
    CHANNELS,
    CONFIDENCE,
    IMAGE,
    MASK,
    NETWORK_LOGITS,
    OUTPUTS,
    PROBABILITY,
    RGB,
)
from kd_seg_ros.inference.gpu.fused_binding import FusedBinding
from kd_seg_ros.inference.gpu.split_file import SplitFile
from kd_seg_ros.inference.session_start import session_options

IMAGE_TOLERANCE: Final = 0.01
"""Largest difference of a normalised value: float16 has steps of 0.004 at most, and where images of open size
are resized ONNX Runtime's coordinates are in single precision. A wrong mean or place is far beyond it."""
MASK_SHARE: Final = 0.998
"""Part of the pixels that must have the same class: of random logits, two are sometimes equal to within
rounding."""
CONFIDENCE_TOLERANCE: Final = 1
"""Largest difference of the confidence, of 255."""
_LOGIT_SPREAD: Final = 4.0


def difference(binding: FusedBinding, split: SplitFile, card: ModelCard) -> str:
    """Return in what way the kernels differ from the file's own nodes; empty if they do not."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (card.height, card.width, 3), dtype=np.uint8)
    shape, dtype = binding.logits
    logits = rng.normal(0, _LOGIT_SPREAD, shape).astype(dtype)
    found: dict[str, NDArray[Any]] = {name: np.empty(image.shape[:2], t) for name, t in OUTPUTS.items()}
    prepared = binding.run_kernels(image, False, logits, found)

    expected_image = _run(split.before, {IMAGE: image, CHANNELS: np.array(RGB)})[0]
    apart = np.abs(prepared.astype(np.float32) - expected_image.astype(np.float32)).max()
    if not apart <= IMAGE_TOLERANCE:
        return f"the network's image is off by up to {apart:.3g}"
    expected = dict(zip(OUTPUTS, _run(split.after, {NETWORK_LOGITS: logits, IMAGE: image}), strict=True))
    same = np.mean(found[MASK] == expected[MASK])
    if same < MASK_SHARE:
        return f"the masks agree in {same:.2%} of the pixels"
    levels = np.abs(found[CONFIDENCE].astype(int) - expected[CONFIDENCE]).max()
    if levels > CONFIDENCE_TOLERANCE:
        return f"the confidence is off by up to {levels} of 255"
    apart = np.abs(found[PROBABILITY] - expected[PROBABILITY]).max()
    if not apart <= (CONFIDENCE_TOLERANCE + 0.5) / 255:
        return f"the probability is off by up to {apart:.3g}"
    return ""


def _run(model: bytes, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a part of the file on the CPU on those of the feeds that it takes."""
    options = session_options()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    taken = {tensor.name for tensor in (*session.get_inputs(), *session.get_overridable_initializers())}
    return list(session.run(None, {name: value for name, value in feeds.items() if name in taken}))
