"""Whether a calibration is good enough to be kept, judged on the images that it was not fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from distill.calibration.methods import METHODS
from distill.calibration.temperature import HIGHEST, LOWEST
from distill.common.calibration_methods import TEMPERATURE
from distill.models.logit_calibration import LogitCalibration

_AT_BOUND: Final = 1.01
"""A temperature within this factor of the end of the searched range was stopped by it."""
_SAME: Final = 1e-9
"""Two scores that differ by less are equal: rounding."""


def why_not(calibration: LogitCalibration, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return why a calibration must not be kept, to follow "it"; empty if it may be.

    :param calibration: as fitted.
    :param before: the scores over all held-out images without calibration (``nll`` in nats, ``ece`` and
        ``miou`` 0…1), as in metrics.json. The mIoU is compared for methods that change the mask: for the
        others it is the same but for rounding.
    :param after: the same with the calibration.
    """
    common = (calibration.temperature,) if calibration.method == TEMPERATURE else ()
    for value in (*common, *calibration.temperatures):
        if value <= LOWEST * _AT_BOUND or value >= HIGHEST / _AT_BOUND:
            return f"has a temperature at the end of its range, {LOWEST:g} to {HIGHEST:g}: {value:.3g}"
    # What must not rise, as 1, or fall, as −1; None is unknown, without labels.
    compared = [("nll", "NLL", 1, "nats", 1), ("ece", "ECE", 100, "%", 1)]
    if not METHODS[calibration.method].keeps_mask:
        compared.append(("miou", "mIoU", 100, "%", -1))
    for key, name, factor, unit, sign in compared:
        first, second = before[key], after[key]
        if first is not None and second is not None and sign * (second - first) > _SAME:
            return f"makes the {name} worse: {_two(factor * first, factor * second)} {unit}"
    return ""


def _two(first: float, second: float) -> str:
    """Write two numbers with as many decimals as tell them apart, at least two."""
    digits = 2
    while f"{first:.{digits}f}" == f"{second:.{digits}f}" and digits < 9:
        digits += 1
    return f"{first:.{digits}f} → {second:.{digits}f}"
