"""Predictions as ACDC's test server takes them: one PNG of trainIds per image, under the image's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distill.common.files import write_file
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason


def file_name(image: Path) -> str:
    """Return the file name of an image's prediction: the image's own, with the ending .png."""
    return f"{image.stem}.png"


def prepare(folder: Path, images: Iterable[Path]) -> None:
    """Make the folder of a submission.

    :raises UserError: if it cannot be made or holds something, or if two images have the same name.
    """
    name, times = Counter(map(file_name, images)).most_common(1)[0]
    if times > 1:
        raise UserError(
            f"{times} of the images are called {name}: they cannot lie in one folder of predictions"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"--submission {folder} is not empty: give a new folder")
    except OSError as error:
        raise UserError(f"--submission {folder} cannot be made: {reason(error)}") from error


def write(folder: Path, image: Path, mask: NDArray[np.uint8]) -> None:
    """Write the predicted trainIds of an image as a PNG.

    :param mask: uint8 [H, W].
    :raises UserError: if the file cannot be written.
    """
    write_file(folder / file_name(image), partial(Image.fromarray(mask).save, format="PNG"))
