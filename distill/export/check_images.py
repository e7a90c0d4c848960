"""The images that an exported file is checked on: with labels, without, or noise, and altered ones.

Half precision fails first where images are unlike those that a network was trained on, and those are the
ones that a validation split lacks. So some images are altered as night, fog, a bad link and a low sun do it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.config.data import SourceConfig
from distill.data.from_config import frames_of
from distill.datasets.files import find_files
from distill.datasets.folder import EXTENSIONS
from distill.datasets.frame import Frame, read_image, read_sample
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
        frames = frames_of(data, "val")
    except UserError as error:
        raise UserError(f"{error} (needed to check the file; or give --images DIR)") from error
    return spread_images(frames, limit)


def spread_images(frames: Sequence[Frame], limit: int) -> list[Pair]:
    """Read at most ``limit`` of some images with their labels, spread evenly over them."""
    spread = np.linspace(0, len(frames) - 1, min(limit, len(frames))).round().astype(int)
    samples = [read_sample(frames[int(index)]) for index in spread]
    return [(sample.image, sample.labels) for sample in samples]


def plain_images(folder: Path, limit: int) -> list[Pair]:
    """Read at most ``limit`` images of a folder and the folders in it, in the order of their names.

    :raises UserError: if it is not a folder or holds no image.
    """
    if not folder.is_dir():
        raise UserError(f"--images {folder} is not a folder")
    paths = find_files(folder, EXTENSIONS).files
    if not paths:
        raise UserError(f"--images {folder} holds no image ({', '.join(EXTENSIONS)})")
    return [(read_image(path), None) for path in paths[:limit]]


def common_size(pairs: Sequence[Pair]) -> tuple[int, int]:
    """Return the (H, W) that most of the images have; of several, the one that comes first."""
    sizes = Counter(image.shape[:2] for image, _ in pairs)
    ((height, width), _count), *_ = sizes.most_common(1)
    return height, width


def altered_images(pairs: Sequence[Pair]) -> dict[str, NDArray[np.uint8]]:
    """Return one altered image of each kind, made of images spread over those given; the same each time.

    The kinds are ``dark`` (night, with the sensor's noise), ``faint`` (fog: little contrast), ``blocks``
    (JPEG of low quality) and ``bright`` (over-exposed).
    """
    alterations = {"dark": _darkened, "faint": _faded, "blocks": _compressed, "bright": _over_exposed}
    positions = np.linspace(0, len(pairs) - 1, len(alterations)).round().astype(int)
    return {
        kind: alter(pairs[int(position)][0])
        for (kind, alter), position in zip(alterations.items(), positions, strict=True)
    }


def _darkened(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Darken to a sixth, dark tones more, and add the noise of a sensor at high gain."""
    rng = np.random.default_rng(0)
    dark = 255 / 6 * (image / 255.0) ** 1.5
    return _bytes(dark + rng.normal(0, 3, image.shape))


def _faded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave a sixth of the contrast before a light grey."""
    return _bytes(190 + (image - 128.0) / 6)


def _compressed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Encode and decode as JPEG of the lowest useful quality: its blocks of 8×8 pixels show."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 5])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _over_exposed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brighten three times: most of the image is white."""
    return _bytes(image * 3.0)


def _bytes(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


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
