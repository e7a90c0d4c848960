"""One labelled image: where its files lie, and how they become checked NumPy arrays.

The listing of a data set (e.g. :mod:`distill.datasets.acdc`) holds a :class:`Frame` for each image, and
:func:`read_sample` reads it. PyTorch's view of the same frames is :mod:`distill.data.dataset`; nothing here
needs it.

Label files hold trainIds, or other values or colours that a table (:data:`LabelMap`) turns into trainIds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from distill.datasets.bag_images import BagMessage, read_message
from distill.datasets.image_file import read_header, read_image, read_label_colours, read_label_indices
from kd_seg_ros.common.classes import IGNORE_ID, NUM_CLASSES
from kd_seg_ros.common.errors import UserError

Rgb: TypeAlias = tuple[float, float, float]
"""One value per channel, 0…1."""
Colours: TypeAlias = Mapping[tuple[int, int, int], int]
"""trainId, or 255 for ignored, by the RGB colour (0…255) in the label file."""
LabelMap: TypeAlias = bytes | Colours
"""256 trainIds indexed by the values in the label file, or the trainIds of colours."""

LabelValues: TypeAlias = npt.NDArray[np.integer[Any]]
"""What a label file holds: values [H, W] of 8 or 16 bits, or colours [H, W, 3]."""

UNKNOWN_ID: Final[int] = 254
"""What a :data:`LabelMap` gives for a value or colour that must not occur; never a trainId."""
OTHER_COLOURS: Final = (-1, -1, -1)
"""Key of :data:`Colours` under which the trainId of all other colours stands; absent: they must not occur."""
MAX_VALUE: Final[int] = 255
"""Largest value that a class map can name."""


@dataclass(frozen=True)
class Frame:
    """The files of one image and its labels, and how the labels are read."""

    image: Path
    labels: Path | None
    """The label file; None for an image without labels (a test split)."""
    condition: str
    """The weather, such as "fog"; scores are given for each."""
    label_map: LabelMap | None = None
    """Table that turns the values in the label file into trainIds; None if it holds trainIds."""
    num_classes: int = NUM_CLASSES
    """Number of classes, at most 254: valid trainIds are 0 to this, exclusive."""
    mean: Rgb | None = None
    """Mean of R, G and B, 0…1, that the image is normalised by; None: that of the training."""
    std: Rgb | None = None
    """Standard deviation of R, G and B, 0…1, that goes with ``mean``."""
    message: BagMessage | None = None
    """Where the image lies in a bag; None: it is the file ``image``."""


@dataclass(frozen=True)
class Sample:
    """One image and its labels in memory."""

    image: npt.NDArray[np.uint8]
    """Pixels [H, W, 3], RGB."""
    labels: npt.NDArray[np.uint8] | None
    """trainIds [H, W], 255 = ignored; None for an image without labels."""
    condition: str
    """The weather, such as "fog"."""
    path: Path
    """File of the image."""
    mean: Rgb | None = None
    """Mean of R, G and B, 0…1, that the image is normalised by; None: that of the training."""
    std: Rgb | None = None
    """Standard deviation of R, G and B, 0…1, that goes with ``mean``."""


def read_sample(frame: Frame) -> Sample:
    """Read and check one frame.

    :raises UserError: naming the file that cannot be decoded, whose size is not that of its image, or that
        holds labels which are no trainIds.
    """
    image = read_pixels(frame)
    labels = None
    if frame.labels is not None:
        labels = to_train_ids(read_label_values(frame), frame)
        check_sizes(image, labels, frame)
    return Sample(image, labels, frame.condition, frame.image, frame.mean, frame.std)


def read_pixels(frame: Frame) -> npt.NDArray[np.uint8]:
    """Return the pixels of a frame's image, RGB [H, W, 3], from its file or its bag.

    :raises UserError: naming the file or message that cannot be decoded.
    """
    return read_image(frame.image) if frame.message is None else read_message(frame.message)


def read_label_values(frame: Frame) -> LabelValues:
    """Read the values of a frame's label file exactly as they are stored, before they become trainIds.

    :return: uint8 or uint16 [H, W], or RGB [H, W, 3] where the frame's ``label_map`` is one of colours.
    :raises UserError: naming the file that cannot be decoded, is of another kind, or of a format that does
        not keep values.
    """
    assert frame.labels is not None
    if frame.label_map is None or isinstance(frame.label_map, bytes):
        return read_label_indices(frame.labels)
    return read_label_colours(frame.labels)


def to_train_ids(values: LabelValues, frame: Frame) -> npt.NDArray[np.uint8]:
    """Turn the values of a frame's label file into trainIds.

    :param values: what :func:`read_label_values` returned.
    :return: uint8 [H, W], trainIds or 255.
    :raises UserError: naming values or colours that stand for no class.
    """
    label_map = frame.label_map
    if label_map is None:
        labels = values
    elif isinstance(label_map, bytes):
        # A class map speaks of 8 bits: what is above them is unknown.
        table = np.frombuffer(label_map, np.uint8)
        labels = np.where(values > MAX_VALUE, np.uint8(UNKNOWN_ID), table[values & MAX_VALUE])
    else:
        labels = _by_colour(values, label_map)
    wrong = (labels >= frame.num_classes) & (labels != IGNORE_ID)
    if wrong.any():
        found = np.unique(values[wrong], axis=0).tolist()
        if values.ndim == 3:
            raise UserError(
                f"{frame.labels} holds the colours {_some(map(tuple, found))}: add them to the class map"
            )
        raise UserError(
            f"{frame.labels} holds the label values {_some(found)}: labels must be trainIds "
            f"0…{frame.num_classes - 1} or {IGNORE_ID} (ignored)"
            + ("" if label_map is None else ", or values that the data set's class map knows")
        )
    return labels.astype(np.uint8, copy=False)


def check_sizes(image: npt.NDArray[np.uint8], labels: LabelValues, frame: Frame) -> None:
    """Raise UserError if a frame's image and labels differ in size."""
    if labels.shape[:2] == image.shape[:2]:
        return
    advice = ""
    if labels.shape[:2] == image.shape[1::-1] and read_header(frame.image)[1] != 1:
        advice = (
            " after it was turned as its EXIF orientation says: turn the labels, or remove the orientation"
        )
    raise UserError(
        f"{frame.labels} is {_size(labels)} but its image {frame.image} is {_size(image)} pixels{advice}"
    )


def _by_colour(pixels: LabelValues, colours: Colours) -> npt.NDArray[np.uint8]:
    """Look up the trainId of each pixel's colour.

    :param pixels: RGB [H, W, 3].
    :return: uint8 [H, W]; for colours that the table does not have, what it gives for others.
    """
    rest = colours.get(OTHER_COLOURS, UNKNOWN_ID)
    colours = {colour: train_id for colour, train_id in colours.items() if colour != OTHER_COLOURS}
    # Each colour becomes one number, 65536 R + 256 G + B, so that a binary search finds it.
    weights = np.array([1 << 16, 1 << 8, 1], np.int32)
    packed_colours = np.array(list(colours), np.int32) @ weights
    order = np.argsort(packed_colours)
    keys, train_ids = packed_colours[order], np.array(list(colours.values()), np.uint8)[order]
    packed = pixels.astype(np.int32) @ weights
    place = np.searchsorted(keys, packed).clip(max=len(keys) - 1)
    return np.where(keys[place] == packed, train_ids[place], np.uint8(rest))


def _size(array: npt.NDArray[Any]) -> str:
    return f"{array.shape[1]}×{array.shape[0]}"


def _some(values: Iterable[object]) -> str:
    texts = list(map(str, values))
    return ", ".join(texts[:5]) + (", …" if len(texts) > 5 else "")
