"""A memory of the teacher's features, per class: single pixels and means of whole classes in an image.

Thesis ch. 2.4, after Yang et al., "Cross-image relational knowledge distillation for semantic segmentation"
(CIRKD), CVPR 2022. The features of each position of a map are brought to length 1. Of every image and class,
:meth:`EmbeddingMemory.remember` keeps

- up to ``pixels_per_image`` positions of the class, evenly spread over them in reading order;
- their mean direction, the class' *region*.

Each class has a ring for either, in which the oldest vectors make room. What has not been filled yet does not
count. A loss compares with some of the vectors only, :meth:`EmbeddingMemory.contrasts`: of each class equally
many, evenly spread over its ring, one place further on after each step.

The authors draw both at random; here nothing is random, so that a run with several processes, or a resumed
one, remembers and compares the same as one that never stopped. With several processes each remembers what all
of them saw. Nothing here waits for the device.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from distill.common.distributed import gather_over_processes, process_count
from distill.losses._common import classes_at, members_of
from distill.losses.lad import EPS


class ClassRing:
    """The newest ``size`` vectors of each class.

    :param width: numbers of a vector.
    """

    def __init__(self, num_classes: int, size: int, width: int) -> None:
        self.vectors = torch.zeros(num_classes, size, width)
        self.filled = torch.zeros(num_classes, dtype=torch.long)
        self.next = torch.zeros(num_classes, dtype=torch.long)

    def add(self, vectors: Tensor, valid: Tensor) -> None:
        """Add vectors of each class, the oldest first.

        :param vectors: [classes, n, width].
        :param valid: bool [classes, n], which of them there are.
        """
        self._move_to(vectors)
        size = self.vectors.shape[1]
        # A vector for each place of the ring at most, so that no place is written twice at a time.
        for new, there in zip(vectors.split(size, dim=1), valid.split(size, dim=1), strict=True):
            # Those that there are go to the front, in their order.
            order = there.logical_not().byte().argsort(dim=1, stable=True)
            new = new.take_along_dim(order[:, :, None], dim=1)
            counts = there.sum(dim=1)

            # They go into the next places; what lies in the places after them is written back as it is.
            numbers = torch.arange(new.shape[1], device=new.device)
            places = (self.next[:, None] + numbers) % size
            places = places[:, :, None].expand_as(new)
            is_new = (numbers < counts[:, None])[:, :, None]
            self.vectors.scatter_(1, places, torch.where(is_new, new, self.vectors.gather(1, places)))
            self.next = (self.next + counts) % size
            self.filled = (self.filled + counts).clamp(max=size)

    def spread(self, count: int, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``count`` vectors of each class, evenly spread over its ring; fewer where it holds fewer.

        :param shift: number of places, a scalar, by which all of them are moved on.
        :returns: the vectors [classes·count, width], and which of them there are, bool [classes·count].
        """
        count = min(count, self.vectors.shape[1])
        numbers = torch.arange(count, device=self.vectors.device)
        filled = self.filled[:, None]
        places = (numbers * filled.clamp(min=count) // count + shift) % filled.clamp(min=1)
        vectors = self.vectors.take_along_dim(places[:, :, None], dim=1)
        return vectors.flatten(0, 1), (numbers < filled).flatten()

    def _move_to(self, like: Tensor) -> None:
        """Follow the device and the precision of what is added."""
        self.vectors = self.vectors.to(like)
        self.filled = self.filled.to(like.device)
        self.next = self.next.to(like.device)


class EmbeddingMemory:
    """What the teacher has seen of each class.

    Not an nn.Module, and never copied, so that DDP does not send it in every step and weight averaging does
    not average it; its state goes into checkpoints by :meth:`state_dict`.

    :param width: channels of the teacher's map.
    :param pixels: vectors of single pixels that each class keeps.
    :param regions: vectors of whole classes of an image that each class keeps.
    :param pixels_per_image: pixels of each class that an image adds at most.
    :param pixel_contrasts: number of pixels' vectors that a step compares with, of all classes together.
    :param region_contrasts: the same of regions' vectors.
    """

    def __init__(
        self,
        num_classes: int,
        width: int,
        *,
        pixels: int = 2000,
        regions: int = 2000,
        pixels_per_image: int = 16,
        pixel_contrasts: int = 4096,
        region_contrasts: int = 1024,
    ) -> None:
        self.num_classes = num_classes
        self.pixels_per_image = pixels_per_image
        self.pixels = ClassRing(num_classes, pixels, width)
        self.regions = ClassRing(num_classes, regions, width)
        # As the authors' script divides them between the classes.
        self._of_pixels = pixel_contrasts // num_classes + 1
        self._of_regions = region_contrasts // num_classes + 1
        self._steps = torch.zeros((), dtype=torch.long)

    def __deepcopy__(self, memo: dict[int, Any]) -> EmbeddingMemory:
        return self

    @torch.no_grad()
    def remember(self, features: Tensor, labels: Tensor) -> None:
        """Add what a batch shows of each class.

        :param features: the teacher's map [B, C, H, W].
        :param labels: int64 [B, h, w], covering what the map covers.
        """
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        unit = F.normalize(features.flatten(2), dim=1, eps=EPS).transpose(1, 2)
        members = members_of(classes_at(labels, features), self.num_classes, unit.dtype)
        regions = F.normalize(members.transpose(1, 2) @ unit, dim=2, eps=EPS)
        counts = members.sum(dim=1)

        # Of the n positions of a class in an image: the first, the one after n/P of them, and so on.
        numbers = torch.arange(self.pixels_per_image, device=unit.device)
        wanted = (numbers * counts[:, :, None].clamp(min=len(numbers))).div(len(numbers)).floor() + 1
        so_far = members.cumsum(dim=1).transpose(1, 2).contiguous()
        positions = torch.searchsorted(so_far, wanted).clamp(max=unit.shape[1] - 1)
        pixels = unit.gather(1, positions.flatten(1)[:, :, None].expand(-1, -1, unit.shape[2]))
        pixels = pixels.unflatten(1, positions.shape[1:])

        # [images, classes, …] of all processes → [classes, images·…].
        counts = _of_all_images(counts)
        pixels_there = numbers < counts[:, :, None]
        pixels = _of_all_images(pixels).transpose(0, 1).flatten(1, 2)
        self.pixels.add(pixels, pixels_there.transpose(0, 1).flatten(1))
        self.regions.add(_of_all_images(regions).transpose(0, 1), (counts > 0).transpose(0, 1))
        self._steps = self._steps.to(unit.device) + 1

    def contrasts(self) -> list[tuple[Tensor, Tensor]]:
        """Return the pixels' and the regions' vectors of this step.

        :returns: for each, the vectors [n, C] of length 1, and which of them there are, bool [n].
        """
        return [
            self.pixels.spread(self._of_pixels, self._steps),
            self.regions.spread(self._of_regions, self._steps),
        ]

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that is remembered, as tensors."""
        state = {"steps": self._steps}
        for name, ring in (("pixels", self.pixels), ("regions", self.regions)):
            state |= {name: ring.vectors, f"{name}_filled": ring.filled, f"{name}_next": ring.next}
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` returned.

        :raises ValueError: if it is of other sizes.
        """
        own = self.state_dict()
        for name, tensor in own.items():
            found = state[name].shape if name in state else None
            if found != tensor.shape:
                raise ValueError(f"{name} is {found and tuple(found)} there, not {tuple(tensor.shape)}")
        self._steps = state["steps"].clone()
        for name, ring in (("pixels", self.pixels), ("regions", self.regions)):
            ring.vectors = state[name].clone()
            ring.filled, ring.next = state[f"{name}_filled"].clone(), state[f"{name}_next"].clone()

    @property
    def megabytes(self) -> float:
        """Size of the state, in units of 10⁶ bytes."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.state_dict().values()) / 1e6


def _of_all_images(values: Tensor) -> Tensor:
    """Return the [B, …] of all processes, in the order in which one process draws the batch's images."""
    processes = process_count()
    gathered = gather_over_processes(values)
    return gathered.unflatten(0, (processes, len(values))).transpose(0, 1).flatten(0, 1)
