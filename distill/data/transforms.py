"""From samples to tensors: augmented for training (the thesis' Table 4.5), unchanged for evaluation."""

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypedDict

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from distill.data.appearance import Appearance
from distill.data.border_weights import border_weights
from distill.datasets.acdc import ACDC_MEAN, ACDC_STD
from distill.datasets.frame import Rgb, Sample
from kd_seg_ros.common.classes import IGNORE_ID

Pixels: TypeAlias = npt.NDArray[Any]
"""uint8 [H, W] or [H, W, 3]; OpenCV's own annotations promise no dtype."""
LUMA: Final = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601 weights of R, G, B."""


class TrainItem(TypedDict):
    """One augmented crop for a training step; PyTorch's default collate function makes batches of it."""

    image: Tensor
    """Image, float32 [3, H, W], normalised by mean and std."""
    labels: Tensor
    """trainIds, int64 [H, W], 255 = ignored."""
    weights: Tensor
    """Border weights, float32 [H, W], 0 = ignored."""
    distil: Tensor
    """bool [H, W]: a teacher's probabilities count here; labelled pixels, or all of an unlabelled image."""
    window: Tensor
    """The part of the image that the item shows, float32 [4]: its top, bottom, left and right as fractions of
    the image's height and width. A mirrored item's right is less than its left; padding lies outside 0…1."""
    condition: str
    """Weather of the image."""
    path: str
    """File of the image."""


class EvalItem(TypedDict, total=False):
    """One whole image as the camera gave it: normalising and resizing are part of the deployed network."""

    image: Tensor
    """Image, uint8 [H, W, 3], RGB."""
    labels: Tensor
    """trainIds, uint8 [H, W], 255 = ignored; absent for an image without labels."""
    condition: str
    """Weather of the image."""
    path: str
    """File of the image."""


def eval_transform(sample: Sample, _rng: np.random.Generator | None = None) -> EvalItem:
    """Turn a sample into tensors, unchanged."""
    item = EvalItem(image=torch.from_numpy(sample.image), condition=sample.condition, path=str(sample.path))
    if sample.labels is not None:
        item["labels"] = torch.from_numpy(sample.labels)
    return item


@dataclass(frozen=True)
class TrainTransform:
    """Scale, crop, rescale to the working size, flip, photometric jitter and appearance, in this order.

    The border weights are those of the final label map, after scale, crop and rescaling, so that their
    distances are in the network's input pixels. Padding is ignored and so counts as a border.
    """

    crop: tuple[int, int] = (1080, 1080)
    """Height and width cut from the scaled image; a smaller one is padded with the mean colour."""
    working_scale: float = 0.8
    """Factor by which the crop is resized: 1080² becomes 864² pixels."""
    scale: tuple[float, float] = (0.5, 2.0)
    """Least and greatest random scale."""
    flip: bool = True
    """Mirror images left to right with probability ½."""
    jitter: float = 0.2
    """Strength of the photometric jitter, 0 (none) to 1; see :func:`colour_jitter`."""
    appearance: Appearance | None = None
    """Further changes of how the image looks; None: none."""
    mean: Rgb = ACDC_MEAN
    """Mean of R, G and B, 0…1, for samples that do not bring the one of their data set."""
    std: Rgb = ACDC_STD
    """Standard deviation of R, G and B, 0…1, for samples that do not bring the one of their data set."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result in pixels."""
        return round(self.crop[0] * self.working_scale), round(self.crop[1] * self.working_scale)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> TrainItem:
        """Augment one sample; the same generator state gives the same item.

        All pixels of a sample without labels are ignored, except for a teacher's probabilities (``distil``).
        """
        unlabelled = sample.labels is None
        image: Pixels = sample.image
        labels: Pixels = np.zeros(image.shape[:2], np.uint8) if sample.labels is None else sample.labels
        mean, std = sample.mean or self.mean, sample.std or self.std
        # Geometry first, then colour, then padding: its mean colour must not be jittered.
        image, labels = resize(image, labels, rng.uniform(*self.scale))
        scaled_size = labels.shape
        cut = _random_window(scaled_size, self.crop, rng)
        image, labels = resize(image[cut], labels[cut], self.working_scale)
        mirrored = rng.random() < 0.5 and self.flip
        if mirrored:
            image, labels = cv2.flip(image, 1), cv2.flip(labels, 1)
        image = colour_jitter(image, self.jitter, rng)
        if self.appearance is not None:
            # With random numbers of its own, so that scale, crop and the rest are as without it.
            image = self.appearance(image, rng.spawn(1)[0])
        place = _random_place(labels.shape, self.size, rng)
        rows = shown_part(cut[0], scaled_size[0], labels.shape[0], place[0], self.size[0])
        columns = shown_part(cut[1], scaled_size[1], labels.shape[1], place[1], self.size[1], mirrored)
        image, labels = _pad(image, labels, self.size, place, mean)
        # Only the padding is ignored in the zeros that stand in for missing labels.
        distil = labels != IGNORE_ID
        if unlabelled:
            labels = np.full_like(labels, IGNORE_ID)
        return TrainItem(
            image=normalise(image, mean, std),
            labels=torch.from_numpy(labels.astype(np.int64)),
            weights=torch.from_numpy(border_weights(labels, IGNORE_ID)),
            distil=torch.from_numpy(distil),
            window=torch.tensor([*rows, *columns], dtype=torch.float32),
            condition=sample.condition,
            path=str(sample.path),
        )


def resize(image: Pixels, labels: Pixels, scale: float) -> tuple[Pixels, Pixels]:
    """Resize the image bilinearly and the labels to the nearest pixel, on the same grid.

    :param image: uint8 [H, W, 3].
    :param labels: uint8 [H, W].
    :param scale: factor on both sides; results are at least one pixel.
    """
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


def shown_part(
    cut: slice, length: int, resized: int, margin: int, total: int, mirrored: bool = False
) -> tuple[float, float]:
    """Return which part of an image's side a training item shows, as its ends in fractions of that side.

    :param cut: what was cut from the scaled image.
    :param length: length of the scaled image.
    :param resized: length of the cut piece after rescaling.
    :param margin: padding in front of it.
    :param total: length of the item, padding included.
    """
    start = (cut.start - margin * (cut.stop - cut.start) / resized) / length
    end = start + total / resized * (cut.stop - cut.start) / length
    if mirrored:
        # The padding changes sides with the piece: the piece's own ends are exchanged, and it stays in place.
        piece_start, piece_end = cut.start / length, cut.stop / length
        return piece_start + piece_end - start, piece_start + piece_end - end
    return start, end


def _random_window(
    shape: tuple[int, ...], size: tuple[int, int], rng: np.random.Generator
) -> tuple[slice, slice]:
    """Choose a random window of ``size`` (height, width); a side that is smaller than that stays whole."""
    top = int(rng.integers(max(shape[0] - size[0], 0) + 1))
    left = int(rng.integers(max(shape[1] - size[1], 0) + 1))
    return slice(top, min(top + size[0], shape[0])), slice(left, min(left + size[1], shape[1]))


def _random_place(shape: tuple[int, ...], size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Choose at random how many rows and columns of a canvas of ``size`` lie before an image that fits in."""
    return int(rng.integers(size[0] - shape[0] + 1)), int(rng.integers(size[1] - shape[1] + 1))


def _pad(
    image: Pixels, labels: Pixels, size: tuple[int, int], place: tuple[int, int], mean: Rgb
) -> tuple[Pixels, Pixels]:
    """Place the image on a canvas of ``size`` (height, width): mean colour, labelled as ignored."""
    rows, columns = size[0] - labels.shape[0], size[1] - labels.shape[1]
    if rows == columns == 0:
        return image, labels
    margins = place[0], rows - place[0], place[1], columns - place[1]
    colour = [round(255 * channel) for channel in mean]
    return (
        cv2.copyMakeBorder(image, *margins, cv2.BORDER_CONSTANT, value=colour),
        cv2.copyMakeBorder(labels, *margins, cv2.BORDER_CONSTANT, value=IGNORE_ID),
    )
