"""Runs the frozen teacher: without gradients, in the precision and memory layout in which it is fastest.

Its outputs enter the student's graph, so they are made under ``no_grad``, not under ``inference_mode``. With
half precision in training, a teacher of ours runs in half precision altogether: its weights are converted
once, where autocast would convert them at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import lightning
import torch
from torch import Tensor, nn

from distill.models.network import SegmentationNetwork
from distill.models.output import Output
from distill.training.teacher_cache import TeacherCache
from distill.training.whole_images import WholeImages

DTYPES: Final = {
    "16-mixed": torch.float16,
    "bf16-mixed": torch.bfloat16,
    "32-true": torch.float32,
    "64-true": torch.float64,
}
"""Type of the weights of a teacher of this project, by the precision of training."""


class FrozenTeacher:
    """Runs the frozen teacher.

    Not an nn.Module, and never copied, so that Lightning neither saves, moves nor optimises it, and DDP,
    train() and weight averaging leave it alone.

    :param teacher: a network of this project, or an external one, which chooses its precision.
    :param cache: keeps its outputs on disk: those for the crops, or for whole images.
    """

    def __init__(self, teacher: nn.Module, cache: TeacherCache | WholeImages | None = None) -> None:
        self.teacher = teacher.requires_grad_(False).eval()
        self.cache = cache

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenTeacher:
        return self

    def prepare(self, device: torch.device, precision: str) -> None:
        """Move the teacher to the device of training and, if it is of this project, to the precision."""
        self.teacher.to(device)
        if isinstance(self.teacher, SegmentationNetwork):
            self.teacher.to(memory_format=torch.channels_last)
            self.teacher.to(DTYPES[precision])

    @torch.no_grad()
    def see_whole_images(self, device: torch.device, trainer: lightning.Trainer) -> None:
        """Fill the cache of whole images, if there is one; the processes of a training share the images."""
        if not isinstance(self.cache, WholeImages):
            return
        rank = trainer.global_rank
        progress = rank == 0 and trainer.progress_bar_callback is not None
        self.cache.fill(self._outputs, device, rank, trainer.world_size, progress)
        # From the first step on each process reads what the others have written, too.
        trainer.strategy.barrier()
        # No step asks the teacher itself any more: the device's memory is for the student.
        self.teacher.to("cpu")

    @torch.no_grad()
    def __call__(self, batch: Mapping[str, Any]) -> Output:
        """Return the teacher's outputs for a batch.

        :param batch: ``image`` [B, 3, H, W] and, where there is a cache, ``path``, the B files of the images;
            with one of whole images also ``window`` [B, 4].
        """
        if isinstance(self.cache, WholeImages):
            return self.cache(batch)
        if self.cache is not None:
            return self.cache(self._outputs, batch, getattr(self.teacher, "strides", {}))
        return self._outputs(batch["image"])

    def _outputs(self, image: Tensor) -> Output:
        output: Output
        if not isinstance(self.teacher, SegmentationNetwork):
            output = self.teacher(image)
        else:
            with torch.autocast(image.device.type, enabled=False):
                output = self.teacher(image.to(next(self.teacher.parameters()).dtype))
        return output
