"""The images that an exported file is checked on: with labels, without, or noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.config.data import SourceConfig
from distill.data.from_config import open_source
from distill.datasets.folder import EXTENSIONS
from distill.datasets.frame import read_image, read_sample
from kd_seg_ros.common.errors import UserError

Pair = tuple[NDArray[np.uint8], "NDArray[np.uint8] | None"]
"""RGB image, uint8 [H, W, 3], and its labels, uint8 [H, W], if there are any."""

NOISE_PATCH = 30
"""About so many pixels apart are the random colours of a noise image."""


def labelled_images(data: SourceConfig, limit: int) -> list[Pair]:
    """Read at most ``limit`` images of the val split with their labels, spread evenly over it.

    :raises UserError: if the data are not there, naming the option that does without them, or if a file
        cannot be read.
    """
    try:
        frames = open_source(data, "val").complete()
    except UserError as error:
        raise UserError(f"{error} (needed to check the file; or give --images DIR)") from error
    spread = np.linspace(0, len(frames) - 1, min(limit, len(frames))).round().astype(int)
    samples = [read_sample(frames[int(index)]) for index in spread]
    return [(sample.image, sample.labels) for sample in samples]


def plain_images(folder: Path, limit: int) -> list[Pair]:
    """Read at most ``limit`` images of a folder and the folders in it, in the order of their names.

    :raises UserError: if it is not a folder or holds no image.
    """
    if not folder.is_dir():
        raise UserError(f"--images {folder} is not a folder")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in EXTENSIONS)
    if not paths:
        raise UserError(f"--images {folder} holds no image ({', '.join(EXTENSIONS)})")
    return [(read_image(path), None) for path in paths[:limit]]


def noise_images(size: tuple[int, int], count: int) -> list[Pair]:
    """Make images [H, W, 3] of random colours that change over some 30 pixels; the same ones each time.

    :param size: (H, W).
    """
    rng = np.random.default_rng(0)
    coarse = (max(2, size[0] // NOISE_PATCH), max(2, size[1] // NOISE_PATCH), 3)
    pairs: list[Pair] = []
    for _ in range(count):
        colours = rng.integers(0, 256, coarse, dtype=np.uint8)
        image = cv2.resize(colours, size[::-1], interpolation=cv2.INTER_CUBIC)
        pairs.append((np.asarray(image, np.uint8), None))
    return pairs
