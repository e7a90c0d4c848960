"""One labelled image: where its files lie, and how they become checked NumPy arrays.

The listing of a data set (e.g. :mod:`distill.datasets.acdc`) holds a :class:`Frame` for each image, and
:func:`read_sample` reads it. PyTorch's view of the same frames is :mod:`distill.data.dataset`; nothing here
needs it.

Label files hold trainIds, or other values or colours that a table (:data:`LabelMap`) turns into trainIds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from kd_seg_ros.common.classes import IGNORE_ID, NUM_CLASSES
from kd_seg_ros.common.errors import UserError

Rgb: TypeAlias = tuple[float, float, float]
"""One value per channel, 0…1."""
Colours: TypeAlias = Mapping[tuple[int, int, int], int]
"""trainId, or 255 for ignored, by the RGB colour (0…255) in the label file."""
LabelMap: TypeAlias = bytes | Colours
"""256 trainIds indexed by the values in the label file, or the trainIds of colours."""

UNKNOWN_ID: Final[int] = 254
"""What a :data:`LabelMap` gives for a value or colour that must not occur; never a trainId."""


@dataclass(frozen=True)
class Frame:
    """Where one image and its labels lie."""

    image: Path
    labels: Path | None
    """None where the data set has none (a test split)."""
    condition: str
    label_map: LabelMap | None = None
    """Turns the label file into trainIds; None if it holds those already."""
    num_classes: int = NUM_CLASSES
    """trainIds are 0 to this, exclusive; at most 254."""
    mean: Rgb | None = None
    """Of the data set's images; None: whatever the training normalises by."""
    std: Rgb | None = None


@dataclass(frozen=True)
class Sample:
    """One image and its labels in memory."""

    image: npt.NDArray[np.uint8]
    """[H, W, 3] RGB."""
    labels: npt.NDArray[np.uint8] | None
    """[H, W] trainIds, 255 = ignored."""
    condition: str
    path: Path
    """The image's file."""
    mean: Rgb | None = None
    """As the frame's."""
    std: Rgb | None = None


def read_sample(frame: Frame) -> Sample:
    """Read and check one frame.

    :raises UserError: naming the file that cannot be decoded, whose size is not that of its image, or that
        holds labels which are no trainIds.
    """
    image = read_image(frame.image)
    labels = None
    if frame.labels is not None:
        labels = to_train_ids(read_label_values(frame), frame)
        check_sizes(image, labels, frame)
    return Sample(image, labels, frame.condition, frame.image, frame.mean, frame.std)


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Read an 8-bit image as uint8 [H, W, 3] RGB; raises UserError if it cannot be decoded."""
    with _decoded(path) as image:
        if image.mode not in ("RGB", "RGBA", "L", "P"):
            raise UserError(f"{path} is an image of mode {image.mode}; give 8-bit RGB or grey")
        return np.array(image.convert("RGB"))


def read_label_values(frame: Frame) -> npt.NDArray[np.uint8]:
    """Read a frame's label file as it is.

    :return: uint8 [H, W], or RGB [H, W, 3] where the frame's ``label_map`` goes by colours.
    :raises UserError: if it cannot be decoded or is no such image.
    """
    path = frame.labels
    assert path is not None
    with _decoded(path) as image:
        if frame.label_map is None or isinstance(frame.label_map, bytes):
            if image.mode not in ("L", "P"):
                raise UserError(
                    f"{path} is no label map but an image of mode {image.mode}: give 8-bit trainIds"
                )
            return np.array(image)
        if image.mode not in ("RGB", "RGBA", "P"):
            raise UserError(f"{path} is an image of mode {image.mode}: its class map needs RGB colours")
        return np.array(image.convert("RGB"))


def to_train_ids(values: npt.NDArray[np.uint8], frame: Frame) -> npt.NDArray[np.uint8]:
    """Turn the values of a frame's label file into trainIds [H, W]; raises UserError for wrong ones."""
    label_map = frame.label_map
    if label_map is None:
        labels = values
    elif isinstance(label_map, bytes):
        labels = np.frombuffer(label_map, np.uint8)[values]
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
    return labels


def check_sizes(image: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], frame: Frame) -> None:
    """Raise UserError if a frame's image and labels differ in size."""
    if labels.shape[:2] != image.shape[:2]:
        raise UserError(
            f"{frame.labels} is {_size(labels)} but its image {frame.image} is {_size(image)} pixels"
        )


def _by_colour(pixels: npt.NDArray[np.uint8], colours: Colours) -> npt.NDArray[np.uint8]:
    """Look up RGB [H, W, 3] in a table of colours."""
    weights = np.array([1 << 16, 1 << 8, 1], np.int32)
    known = sorted((int(np.dot(colour, weights)), train_id) for colour, train_id in colours.items())
    keys, train_ids = np.array([k for k, _ in known]), np.array([t for _, t in known], np.uint8)
    packed = pixels.astype(np.int32) @ weights
    place = np.searchsorted(keys, packed).clip(max=len(keys) - 1)
    return np.where(keys[place] == packed, train_ids[place], np.uint8(UNKNOWN_ID))


def _decoded(path: Path) -> Image.Image:
    """Open and decode the whole file: Pillow, unlike OpenCV, reports a truncated one."""
    try:
        image = Image.open(path)
        image.load()
    except UnidentifiedImageError as error:
        raise UserError(f"cannot read the image {path}: it has no image format known here") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"cannot read the image {path}: {reason}") from error
    return image


def _size(array: npt.NDArray[np.uint8]) -> str:
    return f"{array.shape[1]}×{array.shape[0]}"


def _some(values: Iterable[object]) -> str:
    texts = list(map(str, values))
    return ", ".join(texts[:5]) + (", …" if len(texts) > 5 else "")
