"""A contact sheet: each condition's picture, labels and depth, with the class colours named."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from distill.scenes.render import render_scene
from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE

FARTHEST = 150.0
"""Metres shown as the far end of the depth colours."""


def contact_sheet(seed: int, size: tuple[int, int], conditions: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return an RGB picture with a row for each condition (image, labels, depth), a legend below."""
    colours = np.array([*PALETTE, *[(0, 0, 0)] * (256 - len(PALETTE))], np.uint8)
    rows = []
    for condition in conditions:
        frame = render_scene(seed, size, condition)
        image = frame.rgb.copy()
        _write(image, condition, (8, 22))
        rows.append(np.hstack([image, colours[frame.labels], _depth_colours(frame.depth)]))
    sheet = np.vstack(rows)
    return np.vstack([sheet, _legend(sheet.shape[1])])


def _depth_colours(depth: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Colour a depth map on a logarithmic scale: near things bright, far ones dark, the sky black."""
    near = np.log(np.clip(depth, 2, FARTHEST) / FARTHEST) / np.log(2 / FARTHEST)
    return cv2.applyColorMap((255 * near).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]


def _legend(width: int) -> npt.NDArray[np.uint8]:
    cell = 150
    columns = max(1, width // cell)
    rows = -(-len(CLASS_NAMES) // columns)
    legend = np.full((26 * rows + 8, width, 3), 255, np.uint8)
    for index, (name, colour) in enumerate(zip(CLASS_NAMES, PALETTE, strict=True)):
        x, y = cell * (index % columns) + 8, 26 * (index // columns) + 6
        cv2.rectangle(legend, (x, y), (x + 22, y + 18), colour, -1)
        cv2.putText(legend, name, (x + 28, y + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return legend


def _write(image: npt.NDArray[np.uint8], text: str, spot: tuple[int, int]) -> None:
    for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(image, text, spot, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, width, cv2.LINE_AA)
