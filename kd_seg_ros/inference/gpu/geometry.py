"""The sizes that an image goes through, from the camera to the network and back, by the model card."""

from __future__ import annotations

from dataclasses import dataclass

from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.gpu.taps import Taps, bilinear_taps, upsampling_taps

Size = tuple[int, int]
"""(height, width), pixels."""


@dataclass(frozen=True)
class Geometry:
    """Sizes of one image."""

    image: Size
    """What the camera gives, and the maps that are returned."""
    working: Size
    """What the image is resized to."""
    before: Size
    """Padding above and on the left."""
    padded: Size
    """What the network takes: the resized image with its padding."""

    @classmethod
    def of_image(cls, image: Size, card: ModelCard) -> Geometry:
        """Return the sizes of an image of the camera.

        :param card: with a known ``padding_multiple``.
        """
        working = round(image[0] * card.working_scale), round(image[1] * card.working_scale)
        extra = -working[0] % card.padding_multiple, -working[1] % card.padding_multiple
        before = extra[0] // 2, extra[1] // 2
        return cls(image, working, before, (working[0] + extra[0], working[1] + extra[1]))

    def to_network(self) -> tuple[Taps, Taps]:
        """Return the tables, of rows and columns, that resize the image for the network."""
        rows = bilinear_taps(self.image[0], self.working[0])
        return rows, bilinear_taps(self.image[1], self.working[1])

    def to_image(self, logits: Size) -> tuple[Taps, Taps]:
        """Return the tables, of rows and columns, that resize the logits to the image and crop the padding.

        :param logits: height and width of the network's logits.
        """
        rows = upsampling_taps(logits[0], self.padded[0], self.before[0], self.working[0], self.image[0])
        columns = upsampling_taps(logits[1], self.padded[1], self.before[1], self.working[1], self.image[1])
        return rows, columns
