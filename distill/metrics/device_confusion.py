"""The confusion matrix of :mod:`distill.metrics.confusion`, counted on the device that holds the masks.

So no mask of full size is copied to the host: the counts are, once, when all images are done.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class DeviceConfusion:
    """Counts pixels by true and predicted class, image after image.

    :param num_classes: C, at most ``ignore``.
    :param ignore: id of pixels without a label, and of a mask's pixels without a class.
    """

    def __init__(self, num_classes: int, ignore: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore = ignore
        self._counts: Tensor | None = None

    def update(self, labels: Tensor, mask: Tensor) -> None:
        """Add an image.

        :param labels: integers of any shape, 0…C−1 or ``ignore``, on the mask's device.
        :param mask: integers of that shape, 0…C−1 or ``ignore``.
        :raises ValueError: if the shapes differ; other values are found by :meth:`matrix`.
        """
        if labels.shape != mask.shape:
            raise ValueError(f"labels {tuple(labels.shape)} and mask {tuple(mask.shape)} differ in shape")
        # Both as places 0…C + 1: the classes, ignored, anything else. Then one histogram over the pairs.
        side = self.num_classes + 2
        pairs = self._place(labels) * side + self._place(mask)
        counts = pairs.flatten().bincount(minlength=side * side).view(side, side)
        self._counts = counts if self._counts is None else self._counts + counts

    def counts(self, device: torch.device) -> Tensor:
        """Return all counts, int64 [C + 2, C + 2], for a sum over processes; see :meth:`matrix`."""
        side = self.num_classes + 2
        if self._counts is None:
            return torch.zeros((side, side), dtype=torch.int64, device=device)
        return self._counts.to(device)

    def matrix(self, counts: Tensor) -> NDArray[np.int64]:
        """Return :func:`~distill.metrics.confusion.confusion_matrix` of the images counted, int64 [C, C + 1].

        :param counts: what :meth:`counts` returned, or the sum of several.
        :raises ValueError: if a label, or the mask of a labelled pixel, held any other value.
        """
        table: NDArray[np.int64] = counts.cpu().numpy()
        classes = self.num_classes
        allowed = f"0…{classes - 1} and {self.ignore}"
        if table[classes + 1].any():
            raise ValueError(f"labels hold values other than {allowed}")
        if table[:classes, classes + 1].any():
            raise ValueError(f"predictions hold values other than {allowed}")
        return table[:classes, : classes + 1]

    def _place(self, values: Tensor) -> Tensor:
        """Return the values with ``ignore`` as C and whatever is neither as C + 1, int64."""
        places = values.long()
        other = (places < 0) | (places >= self.num_classes)
        places = places.masked_fill(other, self.num_classes + 1)
        return places.masked_fill(values == self.ignore, self.num_classes)
