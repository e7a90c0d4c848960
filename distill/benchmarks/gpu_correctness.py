"""Whether the engine answers on a GPU as on the CPU: with every calibration, and called in every way.

Compared are whole files: the network's own rounding is in the figures as well. The kernels around the network
are compared with the file's nodes on the same logits whenever a file is opened
(:mod:`kd_seg_ros.inference.gpu.check`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distill.benchmarks.one_convolution import Kind, write_model
from distill.common.calibration_methods import ADAPTIVE_TEMPERATURE, CLASS_TEMPERATURE, TEMPERATURE, VECTOR
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction
from kd_seg_ros.inference.thresholds import min_confidence_levels

SIZE: Final = (541, 963)
CLASSES: Final = 19
SAME_CLASS: Final = 0.995
"""Least part of the pixels with the same class: networks in half precision differ in rounding by provider."""
NEAR: Final = 3
"""Two confidences are near each other if they differ by at most this, of 255."""
NEAR_SHARE: Final = 0.99
"""Least part of the pixels whose confidences are near each other."""
_STEPS: Final = tuple(np.linspace(0.4, 2.5, CLASSES).tolist())
CALIBRATIONS: Final[dict[str, LogitCalibration | None]] = {
    "none": None,
    TEMPERATURE: LogitCalibration(TEMPERATURE, temperature=0.6),
    CLASS_TEMPERATURE: LogitCalibration(CLASS_TEMPERATURE, temperatures=_STEPS),
    ADAPTIVE_TEMPERATURE: LogitCalibration(ADAPTIVE_TEMPERATURE, temperatures=_STEPS, exponent=-0.4),
    VECTOR: LogitCalibration(VECTOR, weights=_STEPS, biases=tuple(np.linspace(-2, 2, CLASSES).tolist())),
}
"""One calibration of each method, and none."""
LIMIT_MB: Final = 1
"""A limit of memory that no file of :data:`SIZE` can do with: its image alone takes 6 MB as float32."""


@dataclass(frozen=True)
class Comparison:
    """How closely two answers agree."""

    case: str
    kernels: bool
    """The engine's own kernels did the work around the network."""
    same_class: float
    """Part of the pixels, 0…1, that have the same class."""
    near: float
    """Part of the pixels, 0…1, whose confidences are near each other."""

    @property
    def passed(self) -> bool:
        """Whether they agree."""
        return self.same_class >= SAME_CLASS and self.near >= NEAR_SHARE


def run(folder: Path, provider: str = "cuda", models: Sequence[Path] = (), kernels: bool = True) -> Result:
    """Compare small files of every kind, and given ones; fails unless all agree and the kernels were used.

    :param folder: for the files that are made.
    :param provider: what is compared with the CPU.
    :param models: further model files.
    :param kernels: fail where the kernels are not used.
    """
    found: list[Comparison] = []
    for name, calibration in CALIBRATIONS.items():
        for dynamic in (False, True):
            kind = Kind(SIZE, CLASSES, scale=0.8, multiple=32, calibration=calibration, dynamic=dynamic)
            path = write_model(folder / f"{name}.onnx", kind)
            size = "any size" if dynamic else "one size"
            found += compare(path, provider, f"one convolution, {size}, calibration {name}")
    for model in models:
        found += compare(model, provider, model.name)
    used = not kernels or all(comparison.kernels for comparison in found)
    passed = used and all(comparison.passed for comparison in found)
    rows = [
        [
            comparison.case,
            "yes" if comparison.kernels else "no",
            f"{comparison.same_class:.3%}",
            f"{comparison.near:.3%}",
            "agrees" if comparison.passed else "DIFFERS",
        ]
        for comparison in found
    ]
    head = ["file, and how it is called", "kernels", "same class", f"confidence within {NEAR}", "verdict"]
    text = table(head, rows)
    if kernels:
        refused = refuses(write_model(folder / "limited.onnx", Kind(SIZE, CLASSES)), provider)
        passed = passed and refused
        text += (
            f"\n\nA network that may take {LIMIT_MB} MB {'is refused' if refused else 'RUNS ALL THE SAME'}."
        )
    return Result(text, [vars(comparison) for comparison in found], passed)


def refuses(path: Path, provider: str) -> bool:
    """Return whether the engine refuses a file that takes more memory than :data:`LIMIT_MB`.

    Without the kernels: their buffers are the engine's own, and not counted as the network's.
    """
    try:
        engine = Engine(path, provider, memory_mb=LIMIT_MB, kernels=False)
        engine.segment(np.zeros((*engine.size, 3), np.uint8))
    except EngineError:
        return True
    return False


def compare(path: Path, provider: str, case: str) -> Iterator[Comparison]:
    """Compare one file on a provider with the CPU, called in every way."""
    engine, reference = Engine(path, provider), Engine(path, "cpu")
    height, width = engine.size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = reference.segment(image)
    kernels = engine.kernels is not None

    def comparison(how: str, found: Prediction, wanted: Prediction) -> Comparison:
        return _comparison(f"{case}{how}", kernels, found, wanted)

    yield comparison("", engine.segment(image), expected)
    bgr = np.ascontiguousarray(image[..., ::-1])
    yield comparison(", bgr", engine.segment(bgr, bgr=True), expected)

    # The same arrays for each frame: their memory is page-locked from the second frame on.
    out = Prediction.empty(engine.size, probability=True)
    for _ in range(3):
        out.mask[:], out.confidence[:] = 99, 99
        engine.segment(image, out=out)
    yield comparison(", arrays used again", out, expected)
    assert out.probability is not None
    rounded = replace(out, confidence=_rounded(out.probability))
    yield comparison(", probability", rounded, expected)

    # A pixel whose confidence is close to the threshold may fall on either side of it.
    levels = min_confidence_levels(float(np.median(expected.confidence)) / 255)
    found, wanted = [one.segment(image, min_confidence=levels) for one in (engine, reference)]
    close = np.abs(expected.confidence.astype(np.int16) - levels[0]) <= NEAR
    found.mask[close] = wanted.mask[close]
    yield comparison(", min_confidence", found, wanted)
    other = np.ascontiguousarray(image[: height * 3 // 4, : width * 2 // 3])
    yield comparison(", another size", engine.segment(other), reference.segment(other))
    engine.reopen()
    yield comparison(", opened again", engine.segment(image), expected)


def _comparison(case: str, kernels: bool, found: Prediction, expected: Prediction) -> Comparison:
    apart = np.abs(found.confidence.astype(np.int16) - expected.confidence)
    same = float(np.mean(found.mask == expected.mask))
    return Comparison(case, kernels, same, float(np.mean(apart <= NEAR)))


def _rounded(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.round(255 * probability).astype(np.uint8)
