"""The catalogue of calibration methods: each name with the function that finds its parameters.

A new method is a file with such a function, a line here, and its formula in
:mod:`distill.models.logit_calibration`, which declares the names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from torch import Tensor
from tqdm import tqdm

from distill.calibration.adaptive_temperature import find_adaptive_temperatures
from distill.calibration.class_temperature import find_class_temperatures
from distill.calibration.rare import is_rare
from distill.calibration.temperature import common_temperature, find_temperature
from distill.calibration.vector import find_vector_scaling
from distill.common.calibration_methods import (
    ADAPTIVE_TEMPERATURE,
    CLASS_TEMPERATURE,
    TEMPERATURE,
    VECTOR,
    Method,
)
from distill.models.logit_calibration import LogitCalibration


@dataclass(frozen=True)
class CalibrationMethod:
    """How a method's parameters are found, and what they depend on."""

    find: Callable[[Tensor, Tensor, float], LogitCalibration]
    """Takes logits [N, C], labels int64 [N] and the common temperature."""
    keeps_mask: bool
    """Whether the calibrated network predicts the same classes as the uncalibrated one."""
    classes_of: Literal["predicted", "labelled"] | None = None
    """Which pixels count for the parameters of a class; None: the method has no parameters per class."""


METHODS: Final[dict[Method, CalibrationMethod]] = {
    TEMPERATURE: CalibrationMethod(common_temperature, keeps_mask=True),
    CLASS_TEMPERATURE: CalibrationMethod(find_class_temperatures, True, classes_of="predicted"),
    ADAPTIVE_TEMPERATURE: CalibrationMethod(find_adaptive_temperatures, True, classes_of="predicted"),
    VECTOR: CalibrationMethod(find_vector_scaling, keeps_mask=False, classes_of="labelled"),
}
"""All methods, in the order in which they are compared."""


def fit_all(logits: Tensor, labels: Tensor, progress: bool = False) -> dict[Method, LogitCalibration]:
    """Find the parameters of every method.

    :param logits: [N, C], any float type.
    :param labels: int64 [N], 0…C−1; no ignored ones.
    :param progress: show a progress bar on standard error.
    :raises ValueError: if there is no pixel or a logit is not finite.
    """
    found: dict[Method, LogitCalibration] = {}
    with tqdm(total=len(METHODS), desc="fit", unit="method", disable=not progress) as bar:
        temperature = find_temperature(logits, labels)
        for name, method in METHODS.items():
            bar.set_postfix_str(name)
            found[name] = method.find(logits, labels, temperature)
            bar.update()
    return found


def rare_classes(name: Method, logits: Tensor, labels: Tensor, class_names: Sequence[str]) -> list[str]:
    """Name the classes that have too few pixels for separate parameters, and keep the common temperature.

    :param logits: [N, C]; ``labels``: int64 [N].
    """
    method = METHODS[name]
    if method.classes_of is None:
        return []
    train_ids = logits.argmax(1) if method.classes_of == "predicted" else labels
    rare = is_rare(train_ids, len(class_names))
    return [class_name for class_name, few in zip(class_names, rare, strict=True) if few]
