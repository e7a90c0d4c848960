"""A camera's calibration, as ROS's ``camera_calibration`` writes it, as ``sensor_msgs/CameraInfo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from kd_seg_ros.bags.messages import CAMERA_INFO, STORE
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import read_text

_MATRICES = {
    "k": ("camera_matrix", 9),
    "r": ("rectification_matrix", 9),
    "p": ("projection_matrix", 12),
}


class CameraCalibration:
    """A calibration file's content, from which ``sensor_msgs/CameraInfo`` messages are made."""

    def __init__(self, path: Path) -> None:
        """Read the YAML file.

        :raises UserError: if it cannot be read or lacks a key, naming it.
        """
        try:
            content = yaml.safe_load(read_text(path))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"--calibration {path} cannot be read: {first_line(error)}") from error
        try:
            self.size = (int(content["image_height"]), int(content["image_width"]))
            self._model = str(content["distortion_model"])
            self._d = np.array(content["distortion_coefficients"]["data"], np.float64)
            self._matrices = {
                key: _matrix(content[name], name, length) for key, (name, length) in _MATRICES.items()
            }
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"--calibration {path}: not a file of camera_calibration: {first_line(error)}"
            ) from error

    def cdr(self, header: Any) -> bytes:
        """Serialise a ``sensor_msgs/CameraInfo`` under a header."""
        return _camera_info(header, self.size, self._model, self._d, self._matrices)


def uncalibrated(header: Any, size: tuple[int, int]) -> bytes:
    """Serialise a ``sensor_msgs/CameraInfo`` of (height, width) alone.

    All matrices are zero: by the message's definition, K[0] = 0 is a camera that is not calibrated.
    """
    zeros = {key: np.zeros(length) for key, (_, length) in _MATRICES.items()}
    return _camera_info(header, size, "", np.zeros(0), zeros)


def _camera_info(
    header: Any,
    size: tuple[int, int],
    model: str,
    distortion: NDArray[np.float64],
    matrices: dict[str, NDArray[np.float64]],
) -> bytes:
    message = STORE.types[CAMERA_INFO](
        header=header,
        height=size[0],
        width=size[1],
        distortion_model=model,
        d=distortion,
        binning_x=0,
        binning_y=0,
        roi=STORE.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
        **matrices,
    )
    return bytes(STORE.serialize_cdr(message, CAMERA_INFO))


def _matrix(content: Any, name: str, length: int) -> NDArray[np.float64]:
    values = np.array(content["data"], np.float64)
    if values.shape != (length,):
        raise ValueError(f"{name} has {values.size} values, not {length}")
    return values
