"""From a sample to tensors: the augmentations of the thesis' Table 4.5 for training, none for evaluation."""

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypedDict

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from distill.data.border_weights import border_weights
from distill.datasets.acdc import ACDC_MEAN, ACDC_STD
from distill.datasets.frame import Rgb, Sample
from kd_seg_ros.common.classes import IGNORE_ID

Pixels: TypeAlias = npt.NDArray[Any]
"""uint8 [H, W] or [H, W, 3]; OpenCV's own annotations promise no dtype."""
LUMA: Final = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601 weights of R, G, B."""


class TrainItem(TypedDict):
    """What a training step sees of one frame; PyTorch's default collate batches it."""

    image: Tensor
    """float32 [3, H, W], normalised by mean and std."""
    labels: Tensor
    """int64 [H, W] trainIds, 255 = ignored."""
    weights: Tensor
    """float32 [H, W] border weights, 0 = ignored."""
    distil: Tensor
    """bool [H, W], where a teacher's probabilities count: labelled pixels, or all of an unlabelled image."""
    condition: str
    path: str


class EvalItem(TypedDict, total=False):
    """One whole frame as the camera gave it: normalising and resizing are part of the deployed network."""

    image: Tensor
    """uint8 [H, W, 3] RGB."""
    labels: Tensor
    """uint8 [H, W] trainIds, 255 = ignored; absent for a test split."""
    condition: str
    path: str


def eval_transform(sample: Sample, _rng: np.random.Generator | None = None) -> EvalItem:
    """Turn a sample into tensors, unchanged."""
    item = EvalItem(image=torch.from_numpy(sample.image), condition=sample.condition, path=str(sample.path))
    if sample.labels is not None:
        item["labels"] = torch.from_numpy(sample.labels)
    return item


@dataclass(frozen=True)
class TrainTransform:
    """Random scale, crop, rescale to the working size, flip and photometric jitter, in this order.

    The border weights are those of the final label map, after scale, crop and rescaling, so that their
    distances are in the network's input pixels. Padding is ignored and so counts as a border.
    """

    crop: tuple[int, int] = (1080, 1080)
    """Height and width cut from the scaled image; a smaller one is padded with the mean colour."""
    working_scale: float = 0.8
    """The crop is resized by this: 1080² becomes 864²."""
    scale: tuple[float, float] = (0.5, 2.0)
    """Least and greatest random scale."""
    flip: bool = True
    """Mirror every second image, at random."""
    jitter: float = 0.2
    """Strength of the photometric jitter, 0 (none) to 1; see :func:`colour_jitter`."""
    mean: Rgb = ACDC_MEAN
    """Of samples that do not bring their own data set's mean and std."""
    std: Rgb = ACDC_STD

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result."""
        return round(self.crop[0] * self.working_scale), round(self.crop[1] * self.working_scale)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> TrainItem:
        """Augment one sample; the same generator state gives the same item.

        A sample without labels is ignored everywhere, but for a teacher's probabilities.
        """
        unlabelled = sample.labels is None
        image: Pixels = sample.image
        labels: Pixels = np.zeros(image.shape[:2], np.uint8) if sample.labels is None else sample.labels
        mean, std = sample.mean or self.mean, sample.std or self.std
        image, labels = resize(image, labels, rng.uniform(*self.scale))
        image, labels = _random_crop(image, labels, self.crop, rng)
        image, labels = resize(image, labels, self.working_scale)
        if rng.random() < 0.5 and self.flip:
            image, labels = cv2.flip(image, 1), cv2.flip(labels, 1)
        image = colour_jitter(image, self.jitter, rng)
        image, labels = _random_pad(image, labels, self.size, mean, rng)
        distil = labels != IGNORE_ID
        if unlabelled:
            labels = np.full_like(labels, IGNORE_ID)
        return TrainItem(
            image=normalise(image, mean, std),
            labels=torch.from_numpy(labels.astype(np.int64)),
            weights=torch.from_numpy(border_weights(labels, IGNORE_ID)),
            distil=torch.from_numpy(distil),
            condition=sample.condition,
            path=str(sample.path),
        )


def resize(image: Pixels, labels: Pixels, scale: float) -> tuple[Pixels, Pixels]:
    """Resize the image bilinearly and the labels to the nearest pixel, on the same grid."""
    height, width = labels.shape
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if size == (width, height):
        return image, labels
    # INTER_NEAREST would shift the labels by up to half a pixel against INTER_LINEAR.
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_LINEAR),
        cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT),
    )


def colour_jitter(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Change brightness, contrast and saturation by factors of 1 ± strength and hue by ± strength/4 turns."""
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, size=3)
    hue = rng.uniform(-strength, strength) / 4
    if strength == 0:
        return image
    grey = float(LUMA @ cv2.mean(image)[:3])
    return cv2.transform(image, colour_matrix(brightness, contrast, saturation, hue, grey))


def colour_matrix(
    brightness: float, contrast: float, saturation: float, hue: float, grey: float
) -> npt.NDArray[np.float64]:
    """Return the affine map [3, 4] of RGB values that makes four photometric changes at once.

    :param brightness: factor of all values.
    :param contrast: factor of the distance to the image's mean grey.
    :param saturation: factor of the distance to the pixel's own grey.
    :param hue: turns by which colours rotate about the grey axis.
    :param grey: the image's mean luma before the change.
    """
    # Rodrigues' rotation about the unit vector (1, 1, 1)/√3.
    cos, sin = math.cos(2 * math.pi * hue), math.sin(2 * math.pi * hue)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    rotation = cos * np.eye(3) + sin * cross + (1 - cos) / 3 * np.ones((3, 3))
    desaturation = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    offset = np.full((3, 1), (1 - contrast) * brightness * grey)
    return np.hstack([contrast * brightness * desaturation @ rotation, offset])


def normalise(image: Pixels, mean: Rgb, std: Rgb) -> Tensor:
    """Turn uint8 [H, W, 3] into float32 [3, H, W]: (value/255 − mean)/std."""
    values = np.subtract(image, 255 * np.array(mean, np.float32), dtype=np.float32)
    values /= 255 * np.array(std, np.float32)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _random_crop(
    image: Pixels, labels: Pixels, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Cut a window of ``size``, or of what there is if the image is smaller."""
    top, left = (
        int(rng.integers(max(have - want, 0) + 1)) for have, want in zip(labels.shape, size, strict=True)
    )
    window = np.s_[top : top + size[0], left : left + size[1]]
    return image[window], labels[window]


def _random_pad(
    image: Pixels,
    labels: Pixels,
    size: tuple[int, int],
    mean: Rgb,
    rng: np.random.Generator,
) -> tuple[Pixels, Pixels]:
    """Place the image at random on a canvas of ``size`` in the mean colour, its labels on ignored pixels."""
    missing = [want - have for have, want in zip(labels.shape, size, strict=True)]
    top, left = (int(rng.integers(extra + 1)) for extra in missing)
    if missing == [0, 0]:
        return image, labels
    margins = top, missing[0] - top, left, missing[1] - left
    colour = [round(255 * channel) for channel in mean]
    return (
        cv2.copyMakeBorder(image, *margins, cv2.BORDER_CONSTANT, value=colour),
        cv2.copyMakeBorder(labels, *margins, cv2.BORDER_CONSTANT, value=IGNORE_ID),
    )
