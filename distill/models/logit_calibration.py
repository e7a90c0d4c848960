"""Applies calibration to the logits z of C classes; :mod:`distill.calibration` finds its parameters.

======================== ========================= =================================================
method                   calibrated logits         source
======================== ========================= =================================================
``temperature``          z / T                     Guo et al., *On Calibration of Modern Neural
                                                   Networks*, ICML 2017
``class_temperature``    z / T_k, k = argmax z     temperature scaling of each predicted class
``adaptive_temperature`` z / (T_k · p^γ)           Balanya et al., *Adaptive temperature scaling for
                                                   robust calibration of deep neural networks*, 2022,
                                                   where T depends on the entropy; here on p
``vector``               w ⊙ z + b                 Guo et al. 2017, vector scaling
======================== ========================= =================================================

T, T_k > 0; γ is any number; p = max softmax(z) is the confidence without calibration. The first three divide
all logits of a pixel by the same number: they change the confidence, never the mask. k is the predicted class
because the vehicle knows no other, and because dividing each logit by its class's T would change their order.
Vector scaling does change it, and with it the mask.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional as F

from distill.common.calibration_methods import (
    ADAPTIVE_TEMPERATURE,
    PARAMETERS,
    TEMPERATURE,
    VECTOR,
    Method,
)


@dataclass(frozen=True)
class LogitCalibration:
    """A calibration method and its parameters; by default it leaves the logits as they are.

    :raises ValueError: for parameters that are not the method's, or not possible.
    """

    method: Method = TEMPERATURE
    """A key of :data:`PARAMETERS`."""
    temperature: float = 1.0
    """T, by which the logits of every pixel are divided."""
    temperatures: tuple[float, ...] = ()
    """T_k of every class, in the order of the logits."""
    exponent: float = 0.0
    """γ, by which T_k depends on the confidence; 0: it does not."""
    weights: tuple[float, ...] = ()
    """w of every class, in the order of the logits."""
    biases: tuple[float, ...] = ()
    """b of every class, in the order of the logits."""

    def __post_init__(self) -> None:
        own = _own(self.method)
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if field.name not in own and value != field.default:
                raise ValueError(f"{self.method} has no {field.name}")
            if isinstance(value, tuple) != isinstance(field.default, tuple):
                many = isinstance(field.default, tuple)
                raise ValueError(f"{field.name} must be {'a list' if many else 'one number'}")
            if not all(_is_number(number) for number in (value if isinstance(value, tuple) else (value,))):
                raise ValueError(f"{field.name} must be numbers, not {value!r:.60}")
        lists = [getattr(self, name) for name in own if isinstance(getattr(self, name), tuple)]
        lengths = {len(values) for values in lists}
        if len(lengths) > 1 or 0 in lengths:
            raise ValueError(f"{self.method} needs {' and '.join(own)} for every class")
        if min((self.temperature, *self.temperatures)) <= 0:
            raise ValueError("temperatures must be above 0")

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the method as values of JSON; see :meth:`parse`."""
        values = {name: getattr(self, name) for name in PARAMETERS[self.method]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def parse(cls, method: Any, parameters: Any) -> LogitCalibration:
        """Return what :meth:`parameters` describes; raises ValueError for anything else."""
        own = _own(method)
        if not isinstance(parameters, Mapping) or set(parameters) != set(own):
            raise ValueError(f"the parameters of {method} are {', '.join(own)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
        return cls(method, **values)

    def apply(self, logits: Tensor) -> Tensor:
        """Return calibrated logits.

        :param logits: floats [C, …].
        """
        logits = self.affine(logits)
        return self.tempered(logits, logits.argmax(0))

    def affine(self, logits: Tensor) -> Tensor:
        """Return w ⊙ z + b; the same logits for the methods that keep the mask."""
        if self.method != VECTOR:
            return logits
        shape = (-1, *(1,) * (logits.ndim - 1))
        weights = logits.new_tensor(self.weights).view(shape)
        biases = logits.new_tensor(self.biases).view(shape)
        return weights * logits + biases

    def tempered(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Divide the logits of each pixel [C, …] by its temperature.

        :param mask: int64 […], the predicted class.
        """
        if self.method == VECTOR:
            return logits
        if self.method == TEMPERATURE:
            return logits / self.temperature
        temperature = _of_class(logits.new_tensor(self.temperatures), mask)
        if self.method == ADAPTIVE_TEMPERATURE:
            # 1 / p = Σ exp(z − max z)
            inverse = torch.exp(logits - logits.amax(0)).sum(0)
            temperature = temperature * inverse**-self.exponent
        return logits / temperature


def _of_class(values: Tensor, mask: Tensor) -> Tensor:
    """Return the value [C] that belongs to the class of each pixel, […]."""
    return F.embedding(mask, values.unsqueeze(1)).squeeze(-1)  # one Gather in the exported file


def _own(method: Any) -> tuple[str, ...]:
    """Return the names of a method's parameters."""
    if method not in list(PARAMETERS):
        raise ValueError(f"unknown method {method!r}: choose from {', '.join(PARAMETERS)}")
    return PARAMETERS[method]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


NONE: Final = LogitCalibration()
"""The calibration that leaves the logits as they are."""
