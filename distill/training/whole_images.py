"""A teacher's opinion of whole images, cut out as training cuts the images.

Before training the frozen teacher sees each image once, whole and without augmentation, as it would at
deployment. Its logits are kept on disk at a quarter of the image's size, the resolution at which most
networks compute them. In a training step those of the part that a crop shows are cut out and brought to the
crop's size bilinearly. So augmented images need no teacher in the loop: a step costs what one on the labels
alone does.

It differs from a teacher that sees the crops: this one sees more surroundings, and neither the random colours
nor the random scale. Beyer et al. find that such fixed opinions overfit sooner than consistent ones.

With ``teacher.pseudo_labels`` the images without labels get label files beside their logits
(:mod:`distill.training.pseudo_labels`).

Source: Beyer et al., *Knowledge distillation: A good teacher is patient and consistent*, CVPR 2022 ("fixed
teacher").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from distill.config import Config
from distill.data.transforms import normalise, resize
from distill.datasets.frame import Frame, read_pixels
from distill.models.output import Output
from distill.training.cached_maps import READERS, Checks, short_hash, version, write_maps
from distill.training.pseudo_labels import PseudoLabeller, check_unlabelled
from distill.training.teacher_cache import TeacherCache, cache_folder, check_no_augmentation, open_cache
from kd_seg_ros.common.errors import UserError

REDUCTION: Final = 4
"""Side of the image over side of the logits that are kept."""
FORMAT: Final = 1
"""Version of the files; those of another one lie in a folder of their own."""
LOGITS: Final = "logits"
"""Name of the map in a file."""


def teacher_outputs(config: Config, frames: Sequence[Frame]) -> TeacherCache | WholeImages | None:
    """Return what keeps the outputs of an experiment's teacher on disk, if anything does.

    :param frames: all images of training.
    :raises UserError: if the images vary and their teacher sees the crops, or the cache cannot be made.
    """
    if config.teacher is None or config.teacher.cache is None:
        return None
    if config.teacher.whole_images:
        return WholeImages(config, frames)
    check_no_augmentation(config.data, frames)
    return open_cache(config)


class WholeImages:
    """Keeps the logits that a teacher gave for whole images, and cuts out what a batch shows.

    :param config: the experiment's; its teacher has a cache.
    :param frames: all images of training.
    :raises UserError: if the cache's folder cannot be made.
    """

    def __init__(self, config: Config, frames: Sequence[Frame]) -> None:
        self.data = config.data
        # Without a loss on the teacher's logits, only those of images that get pseudo-labels are of use.
        compared = config.objective.needs_teacher
        self.frames = [frame for frame in frames if compared or frame.labels is None]
        self.folder = cache_folder(config, ["whole", FORMAT])
        self.labeller = None
        if config.teacher is not None and config.teacher.pseudo_labels is not None:
            self.labeller = PseudoLabeller(config.teacher.pseudo_labels, len(config.data.class_names))
            check_unlabelled(frames, config.data.root)
        self._check = Checks()

    def file(self, path: str | Path) -> Path:
        """Return the file of an image's logits, which may not be there yet."""
        return self.folder / f"{short_hash(version(str(path)))}.safetensors"

    def fill(
        self,
        teacher: Callable[[Tensor], Output],
        device: torch.device,
        rank: int = 0,
        processes: int = 1,
        progress: bool = False,
    ) -> None:
        """Ask the teacher about every image whose logits are needed and not on disk.

        :param teacher: called with one normalised image, float32 [1, 3, H, W].
        :param rank: number of this process, which takes every ``processes``-th image.
        :param progress: show a progress bar on standard error.
        :raises UserError: for an image that cannot be read, or a disk that cannot be written.
        """
        # An image that occurs several times in training is asked about once.
        missing = [frame for frame in self._distinct_frames() if not self._is_complete(frame)]
        for frame in tqdm(missing[rank::processes], "teacher", unit="image", disable=not progress):
            file, pixels = self.file(frame.image), read_pixels(frame)
            if not file.is_file():
                logits = teacher(self._input(frame, pixels).to(device)).logits
                size = [-(-side // REDUCTION) for side in logits.shape[-2:]]
                quarter = F.interpolate(logits.float(), size=size, mode="bilinear", align_corners=False)
                write_maps(file, {LOGITS: quarter[0].half().cpu().contiguous()})
            if self.labeller is not None and frame.labels is None:
                self._check([file], {LOGITS})
                self.labeller.write(file, _read(file), pixels.shape[:2])

    def labelled(self, frames: Sequence[Frame]) -> list[Frame]:
        """Return frames of training in which those without labels have the file of their pseudo-labels."""
        if self.labeller is None:
            return list(frames)
        return [
            frame if frame.labels is not None else self.labeller.labelled(frame, self.file(frame.image))
            for frame in frames
        ]

    def __call__(self, batch: Mapping[str, Any]) -> Output:
        """Return the teacher's logits for the crops of a batch.

        :param batch: ``image`` [B, 3, H, W], ``path``, the B files of the images, and ``window`` [B, 4], see
            :class:`distill.data.transforms.TrainItem`.
        :raises UserError: naming a file that is missing or damaged.
        """
        image: Tensor = batch["image"]
        files = [self.file(path) for path in batch["path"]]
        self._check(files, {LOGITS})
        with ThreadPoolExecutor(min(len(files), READERS)) as pool:
            whole = list(pool.map(_read, files))
        size = int(image.shape[-2]), int(image.shape[-1])
        cut = partial(cut_out, size=size)
        # Images may differ in size, so that each is cut out by itself.
        on_device = [logits.to(image.device, non_blocking=True).to(image.dtype) for logits in whole]
        logits = torch.stack([cut(*pair) for pair in zip(on_device, batch["window"], strict=True)])
        return Output(logits=logits, pre_logits=image[:, :0], features={})

    def _distinct_frames(self) -> list[Frame]:
        # Where an image occurs with labels and without, the frame without: it needs pseudo-labels as well.
        without_last = sorted(self.frames, key=lambda frame: frame.labels is None)
        return list({str(frame.image): frame for frame in without_last}.values())

    def _is_complete(self, frame: Frame) -> bool:
        """Return whether all that is kept of an image is on disk."""
        files = [self.file(frame.image)]
        if self.labeller is not None and frame.labels is None:
            files.append(self.labeller.file(files[0]))
        return all(file.is_file() for file in files)

    def _input(self, frame: Frame, pixels: npt.NDArray[np.uint8]) -> Tensor:
        """Return an image as the deployed network would get it: [1, 3, H, W] at the working scale."""
        no_labels = np.zeros(pixels.shape[:2], np.uint8)
        resized, _ = resize(pixels, no_labels, self.data.working_scale)
        return normalise(resized, frame.mean or self.data.mean, frame.std or self.data.std)[None]


def cut_out(logits: Tensor, window: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample the part of an image's map that a window shows, bilinearly.

    :param logits: [C, h, w] over the whole image.
    :param window: top, bottom, left and right of the part as fractions of the image's height and width;
        right is less than left where it is mirrored. Beyond the image its nearest values are repeated.
    :param size: height and width of the result.
    :return: [C, H, W].
    """
    top, bottom, left, right = window.to(logits.device, logits.dtype)
    rows = _centres(top, bottom, size[0])
    columns = _centres(left, right, size[1])
    # grid_sample counts from -1 at the image's one edge to 1 at the other, the column first.
    grid = torch.stack(torch.meshgrid(2 * columns - 1, 2 * rows - 1, indexing="xy"), dim=-1)
    sampled = F.grid_sample(
        logits[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled[0]


def _centres(start: Tensor, end: Tensor, count: int) -> Tensor:
    """Return where the centres of ``count`` equal cells lie between two places."""
    steps = torch.arange(count, device=start.device, dtype=start.dtype) + 0.5
    return start + (end - start) * steps / count


def _read(file: Path) -> Tensor:
    try:
        logits: Tensor = load_file(file)[LOGITS]
    except (OSError, KeyError, SafetensorError) as error:
        raise UserError(f"teacher cache {file} is missing or damaged: delete it") from error
    return logits
