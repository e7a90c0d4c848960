"""Reading labelled frames: files to checked arrays, and the dataset all readers share.

A reader of a data set (:mod:`distill.data.acdc`) lists :class:`Frame`; :class:`SegmentationDataset`
reads them as :class:`Sample` and hands each to a transform with a random generator of its own. That
generator depends on (seed, epoch, index) alone: whatever the number of workers, and resumed or not,
the same epoch gives the same augmentations. The epoch comes with the index from
:class:`distill.data.sampler.EpochSampler`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset

from kd_seg_ros.classes import IGNORE_ID, NUM_CLASSES
from kd_seg_ros.errors import UserError


@dataclass(frozen=True)
class Frame:
    """Where one image and its labels lie."""

    image: Path
    labels: Path | None
    """None where the data set has none (a test split)."""
    condition: str
    label_map: bytes | None = None
    """256 trainIds, indexed by the values in the label file; None if those are trainIds already."""


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


class SegmentationDataset(Dataset):
    """Frames read from disk, checked, and passed through ``transform(sample, rng)`` if there is one.

    Indexed by a frame's number (epoch 0) or by a pair (epoch, number). Reading raises UserError naming
    the file if it cannot be decoded, if image and labels differ in size, or if the labels hold values
    that are no trainIds.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        transform: Callable[[Sample, np.random.Generator], Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.frames = list(frames)
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key: int | tuple[int, int]) -> Any:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        sample = read_sample(self.frames[index])
        if self.transform is None:
            return sample
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch, index)))
        return self.transform(sample, rng)


def read_sample(frame: Frame) -> Sample:
    """Read and check one frame; raises UserError, see :class:`SegmentationDataset`."""
    image = read_image(frame.image)
    labels = None
    if frame.labels is not None:
        labels = _read_labels(frame.labels, frame.label_map)
        if labels.shape != image.shape[:2]:
            raise UserError(
                f"{frame.labels} is {_size(labels)} but its image {frame.image} is {_size(image)} pixels"
            )
    return Sample(image, labels, frame.condition, frame.image)


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Read an 8-bit image as uint8 [H, W, 3] RGB; raises UserError if it cannot be decoded."""
    with _decoded(path) as image:
        if image.mode not in ("RGB", "RGBA", "L", "P"):
            raise UserError(f"{path} is an image of mode {image.mode}; give 8-bit RGB or grey")
        return np.array(image.convert("RGB"))


def init_worker(_worker_id: int) -> None:
    """Keep OpenCV to one thread in a DataLoader worker (``worker_init_fn``): the workers share the cores."""
    cv2.setNumThreads(0)


def _read_labels(path: Path, label_map: bytes | None) -> npt.NDArray[np.uint8]:
    with _decoded(path) as image:
        if image.mode not in ("L", "P"):
            raise UserError(f"{path} is no label map but an image of mode {image.mode}: give 8-bit trainIds")
        values = np.array(image)
    labels = values if label_map is None else np.frombuffer(label_map, np.uint8)[values]
    wrong = (labels >= NUM_CLASSES) & (labels != IGNORE_ID)
    if wrong.any():
        found = np.unique(values[wrong])
        raise UserError(
            f"{path} holds the label values {_some(found)}: labels must be trainIds "
            f"0…{NUM_CLASSES - 1} or {IGNORE_ID} (ignored)"
        )
    return labels


def _decoded(path: Path) -> Image.Image:
    """Open and decode the whole file: Pillow, unlike OpenCV, reports a truncated one."""
    try:
        image = Image.open(path)
        image.load()
    except UnidentifiedImageError as error:
        raise UserError(f"cannot read the image {path}: it has no image format known here") from error
    except (OSError, SyntaxError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"cannot read the image {path}: {reason}") from error
    return image


def _size(array: npt.NDArray[np.uint8]) -> str:
    return f"{array.shape[1]}×{array.shape[0]}"


def _some(values: npt.NDArray[np.uint8]) -> str:
    return ", ".join(map(str, values[:5])) + (", …" if len(values) > 5 else "")
