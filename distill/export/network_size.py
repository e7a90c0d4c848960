"""The size at which a network from elsewhere sees the image: as it is, or padded to what it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from distill.export.interpolation import Padding
from kd_seg_ros.common.errors import UserError

MULTIPLES = (1, 2, 4, 8, 14, 16, 32, 64, 128)
"""Sides of the image are tried as multiples of these: strides of networks and patches of transformers."""

_logger = logging.getLogger(__name__)


def possible_paddings(
    fixed: tuple[int, int],
    path: Path,
    size: tuple[int, int] | None,
    scale: float,
    multiple: int | None,
) -> dict[int, Padding]:
    """Return the ways to bring the resized image to a size that a network may take, by the multiple.

    The first way is the one with the smallest multiple. Ways that lead to the same size are listed once.

    :param fixed: (h, w) of the images that the file takes; 0 for a free side.
    :param path: the network's file, for errors.
    :param size: (H, W) of the camera's image; None: the size that the file's own fits to.
    :param scale: the network sees the image resized by this factor.
    :param multiple: the only multiple to consider; None: all of :data:`MULTIPLES`.
    :raises UserError: if no size fits.
    """
    if size is not None:
        wanted = (round(size[0] * scale), round(size[1] * scale))
    elif all(fixed):
        wanted = fixed
    else:
        raise UserError(f"{path} takes images of any size: give the camera's by --size HxW")
    paddings: dict[int, Padding] = {}
    for candidate in (multiple,) if multiple else MULTIPLES:
        padding = Padding.to_multiples(wanted, candidate)
        fits = (fixed[0] or padding.padded[0], fixed[1] or padding.padded[1]) == padding.padded
        if fits and padding not in paddings.values():
            paddings[candidate] = padding
    if not paddings:
        takes = f"{fixed[0] or 'any'}×{fixed[1] or 'any'}"
        padded = f" padded to multiples of {multiple}" if multiple else ""
        made = f", which --size {size[0]}x{size[1]} --scale {scale:g} make" if size else ""
        raise UserError(f"{path} takes images of {takes}, not {wanted[0]}×{wanted[1]}{padded}{made}")
    return paddings


def first_that_runs(
    run: Callable[[tuple[int, int]], NDArray[Any]], paddings: Mapping[int, Padding]
) -> tuple[int, NDArray[Any]]:
    """Try a network, unpadded first.

    :param run: returns the logits [1, C, h', w'] of any image of the size (h, w); raises UserError.
    :return: the multiple of the size to take, and the logits. It is the first size that the network takes; if
        that is a padded one, then the first whose logits have a whole stride, if there is any.
    :raises UserError: with what ``run`` says of the first size, if the network takes none.
    """
    first_error: UserError | None = None
    first_run: tuple[int, NDArray[Any]] | None = None
    for multiple, padding in paddings.items():
        try:
            found = run(padding.padded)
        except UserError as error:
            first_error = first_error or error
            continue
        first_run = first_run or (multiple, found)
        if first_error is None or is_whole_stride(padding.padded, found.shape[2:]):
            return multiple, found
    if first_run is not None:
        return first_run
    assert first_error is not None
    if len(paddings) == 1:
        raise first_error
    tried = ", ".join(map(str, list(paddings)[1:]))
    raise UserError(
        f"{first_error}; nor padded to multiples of {tried}: give the network's own by --multiple N"
    ) from first_error


def is_whole_stride(image: Sequence[int], logits: Sequence[int]) -> bool:
    """Return whether both sides of the image are the same whole number of times those of the logits.

    Logits that are larger than the image are multiples of it instead.
    """
    if len(logits) != 2 or 0 in logits:
        return False
    (height, width), (low_height, low_width) = image, logits
    larger, smaller = max(height, low_height), min(height, low_height)
    return larger % smaller == 0 and height * low_width == width * low_height


def note_padding(padding: Padding, logits: Sequence[int], multiple: int) -> None:
    """Say in the log how images are padded, or that they perhaps should be.

    :param logits: (h', w') of the network's logits.
    """
    size = f"{padding.padded[0]}×{padding.padded[1]}"
    if padding.padded != padding.working:
        _logger.info(
            "%d×%d is padded to %s, multiples of %d, and the margin is cropped off the result",
            *padding.working,
            size,
            multiple,
        )
    if not is_whole_stride(padding.padded, logits):
        _logger.warning(
            "the logits of %s are %d×%d, no whole stride; they are stretched to the image: "
            "if the network needs sides of a multiple, give it by --multiple N",
            size,
            *logits,
        )
