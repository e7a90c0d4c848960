"""What the kernels need of the model card, as arrays of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.card import ModelCard

Floats = NDArray[np.float32]


class NotFusedError(Exception):
    """Why a model is run without the kernels, in one line for the log."""


@dataclass(frozen=True)
class KernelParameters:
    """Numbers for the kernels, in single precision as in the model file."""

    normalisation: Floats
    """Scale of red, green and blue, then their shift: normalised = scale · byte + shift, [6]."""
    scale: Floats
    """Calibrated logit of class c = scale[c] · logit + shift[c], [C]."""
    shift: Floats
    """[C]."""
    inverse_temperature: Floats
    """The scores of a pixel are multiplied by that of its best class, [C]."""
    exponent: float
    """They are also multiplied by 1 / probability, before calibration, to the power of this."""

    @classmethod
    def of_card(cls, card: ModelCard) -> KernelParameters:
        """Read them from a card.

        :raises NotFusedError: for a calibration that the kernels do not know.
        """
        mean, std = np.array(card.mean), np.array(card.std)
        normalisation = np.concatenate([1 / (255 * std), -mean / std])
        count = len(card.class_names)
        scale, shift = np.ones(count), np.zeros(count)
        inverse, exponent = np.ones(count), 0.0
        method = card.calibration.get("method", "temperature")
        values = card.calibration.get("parameters", {"temperature": card.temperature})
        try:
            if method == "temperature":
                scale /= values["temperature"]
            elif method == "class_temperature":
                inverse /= np.array(values["temperatures"])
            elif method == "adaptive_temperature":
                inverse /= np.array(values["temperatures"])
                exponent = float(values["exponent"])
            elif method == "vector":
                scale, shift = np.array(values["weights"]), np.array(values["biases"])
            else:
                raise NotFusedError(f"the kernels do not know the calibration {method!r}")
        except KeyError as error:
            raise NotFusedError(f"the calibration {method!r} lacks {error}") from error
        except TypeError as error:  # a list where one number belongs
            raise NotFusedError(f"the calibration {method!r} has damaged parameters: {error}") from error
        arrays = [np.ascontiguousarray(array, np.float32) for array in (normalisation, scale, shift, inverse)]
        if any(len(array) != count for array in arrays[1:]):
            raise NotFusedError(f"the calibration {method!r} is not one of {count} classes")
        return cls(arrays[0], arrays[1], arrays[2], arrays[3], exponent)
