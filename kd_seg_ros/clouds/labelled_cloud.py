"""Points with the class and the confidence of the pixel that shows them. No ROS in here.

The cloud is organised: point (v, u) belongs to pixel (v, u) of the mask. Consumers that read mask and cloud
next to each other, such as Nav2's semantic segmentation layer, rely on that.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.clouds.depth import DepthError
from kd_seg_ros.clouds.pinhole import Pinhole, at_other_size, rays

POINT: Final = np.dtype(
    {
        "names": ["x", "y", "z", "label", "confidence"],
        "formats": ["<f4", "<f4", "<f4", "u1", "u1"],
        "offsets": [0, 4, 8, 12, 13],
        "itemsize": 16,
    }
)
"""One point in the message's bytes: metres, trainId (255: unlabelled), round(255 · probability)."""


def write_points(
    points: NDArray[np.void],
    coordinates: NDArray[np.float32],
    mask: NDArray[np.uint8],
    confidence: NDArray[np.uint8],
) -> None:
    """Fill a cloud.

    :param points: [H, W] of :data:`POINT`, written to.
    :param coordinates: [H, W, 3], metres; NaN where nothing was measured.
    :param mask: trainId [H, W].
    :param confidence: round(255 · probability) [H, W].
    """
    for axis, name in enumerate("xyz"):
        points[name] = coordinates[..., axis]
    points["label"] = mask
    points["confidence"] = confidence


class DepthProjection:
    """Turns depth images into points for the pixels of a mask, for one camera and two sizes of images."""

    def __init__(self, camera: Pinhole, depth_size: tuple[int, int], size: tuple[int, int]) -> None:
        """Prepare the pixels' rays.

        :param camera: calibration of the depth image, rectified.
        :param depth_size: (height, width) of the depth images, in pixels.
        :param size: (height, width) of the mask, in pixels.
        :raises DepthError: if the pictures cannot show the same.
        """
        check_same_view(depth_size, size, "depth image")
        check_same_view(camera.size, depth_size, "camera_info")
        self.camera, self.depth_size, self.size = camera, depth_size, size
        self._across, self._down = rays(camera, size)
        self._rows, self._columns = nearest_pixels(depth_size, size)

    def points(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the points [H, W, 3] in the optical frame, metres.

        :param depth: [h, w] in metres along the optical axis, of ``depth_size``; NaN where there is none.
        """
        z = depth if self.depth_size == self.size else depth[self._rows[:, None], self._columns]
        points = np.empty((*self.size, 3), np.float32)
        np.multiply(z, self._across, out=points[..., 0])
        np.multiply(z, self._down[:, None], out=points[..., 1])
        points[..., 2] = z
        return points


def points_at_size(points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return, for each pixel of a mask, the nearest point of an organised cloud.

    :param points: [h, w, 3]; a cloud that shows the same as the mask.
    :param size: (height, width) of the mask, in pixels.
    :return: [H, W, 3].
    :raises DepthError: if the cloud cannot show the same.
    """
    own = points.shape[0], points.shape[1]
    check_same_view(own, size, "cloud")
    if own == size:
        return points
    rows, columns = nearest_pixels(own, size)
    return points[rows[:, None], columns]


def nearest_pixels(
    source: tuple[int, int], size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows [H] and columns [W] of a picture of ``source`` that are nearest to a mask's pixels.

    :param source: (height, width) of the picture, in pixels.
    :param size: (height, width) of the mask, in pixels.
    """
    indices = []
    for other, length in zip(source, size, strict=True):
        # Half way between two pixels the later one counts, as for masks of another size than the image.
        positions = np.floor(at_other_size(np.arange(length), length, other) + 0.5).astype(np.int64)
        indices.append(np.clip(positions, 0, other - 1))
    return indices[0], indices[1]


def check_same_view(size: tuple[int, int], other: tuple[int, int], what: str) -> None:
    """Refuse two sizes (height, width) that are no scaled copies of each other, within a pixel of rounding.

    :raises DepthError: naming ``what``, which has ``size``.
    """
    if abs(size[1] * other[0] - size[0] * other[1]) > max(*size, *other):
        raise DepthError(
            f"the {what} of {size[1]}×{size[0]} does not show what the picture of {other[1]}×{other[0]} "
            "shows: both must be of the same camera, aligned (registered), and of the same shape"
        )
