"""The camera's calibration for outputs smaller than its image."""

from __future__ import annotations

import copy
from typing import Any


def scaled_camera_info(info: Any, size: tuple[int, int]) -> Any:
    """Return a copy of a ``sensor_msgs/CameraInfo`` for the same picture at another size.

    Pixel u of W is at (u + ½) / W of the picture's width, so that with s = W' / W::

        f_x' = s · f_x        c_x' = s · (c_x + ½) − ½        T_x' = s · T_x

    and likewise for rows; distortion and rectification do not depend on the size.

    :param info: calibration of a whole image, not binned.
    :param size: (height, width) to scale to, in pixels.
    """
    scaled = copy.deepcopy(info)
    scaled.height, scaled.width = size
    along = size[1] / info.width, size[0] / info.height
    # K is 3×3 and P 3×4, both stored row by row: row 0 is scaled along the width, row 1 along the height.
    for matrix, columns in ((scaled.k, 3), (scaled.p, 4)):
        for row, scale in enumerate(along):
            start = row * columns
            for column in range(columns):
                matrix[start + column] *= scale
            if any(matrix):  # all zeros: not calibrated
                matrix[start + 2] += (scale - 1) / 2
    roi = scaled.roi
    roi.x_offset, roi.width = round(roi.x_offset * along[0]), round(roi.width * along[0])
    roi.y_offset, roi.height = round(roi.y_offset * along[1]), round(roi.height * along[1])
    return scaled
