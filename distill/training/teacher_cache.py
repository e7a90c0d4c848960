"""A teacher's outputs on disk, for training without augmentation: each image is shown to the teacher once.

An image whose scale, crop, mirroring and colours never vary gives the same outputs in every epoch. They are
kept in one file per image, in half precision, below a folder that is named after everything they depend on:
the teacher's file, and the mean, std, crop and working scale of the data. Only the maps that the objective
compares are kept, and the coarsest one, which tells how the teacher pads.

Half precision rounds each value by up to 1/2048 of itself. The files are those of
:mod:`distill.training.cached_maps`: they are mapped into memory, and several threads copy the images of
a batch to where the device reads them from. Every run compares the checksum of a file once, when it first
reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from distill.config import Config, DataConfig, ObjectiveConfig
from distill.config.objective import NO_LOSS
from distill.datasets.frame import Frame
from distill.models.output import Output
from distill.training.cached_maps import READERS, Checks, digest, short_hash, version, write_maps
from distill.training.feature_maps import feature_map
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason

FORMAT = 2
"""Version of the files; those of another one lie in a folder of their own."""


def needed_maps(objective: ObjectiveConfig) -> tuple[str, ...]:
    """Return the names of the teacher's maps that an objective compares with, sorted."""
    names: set[str] = set()
    for term in objective.features:
        names.update(teacher_name for _, teacher_name in term.pairs)
    if objective.logits != NO_LOSS or objective.adversarial is not None:
        names.add("logits")
    return tuple(sorted(names))


def check_no_augmentation(data: DataConfig, frames: Iterable[Frame]) -> None:
    """Refuse data whose images look different in every epoch.

    :raises UserError: naming the keys that must be set.
    """
    needed = []
    if data.scale != (1, 1):
        needed.append("data.scale: [1, 1]")
    if data.flip:
        needed.append("data.flip: false")
    if data.jitter > 0:
        needed.append("data.jitter: 0")
    if data.appearance is not None:
        needed.append("data.appearance: null")
    if needed:
        raise UserError(
            "a teacher's outputs can only be kept for images that never vary: set "
            f"{', '.join(needed)}, and data.crop to the size of the images"
        )
    for frame in frames:
        with Image.open(frame.image) as image:
            if image.size != data.crop[::-1]:
                width, height = image.size
                raise UserError(
                    f"{frame.image} is {width}×{height} pixels: for a teacher cache data.crop must be the "
                    f"size of every image, here [{height}, {width}]"
                )


def open_cache(config: Config) -> TeacherCache:
    """Return the cache of an experiment whose teacher has one, in a folder below ``teacher.cache``.

    :raises UserError: if it cannot be made.
    """
    maps = needed_maps(config.objective)
    return TeacherCache(cache_folder(config, [FORMAT, config.data.crop, maps]), maps)


def cache_folder(config: Config, depends_on: Sequence[Any]) -> Path:
    """Make the folder below ``teacher.cache`` that is named after all that its files depend on.

    :param depends_on: what they depend on besides the teacher, the working scale and the statistics of the
        data sets; JSON must be able to hold it.
    :raises UserError: if it cannot be made.
    """
    data, teacher = config.data, config.teacher
    assert teacher is not None
    assert teacher.cache is not None
    named_after = {
        "teacher": digest(teacher.path),
        # Pseudo-labels are made of the logits, and lie in files named after the threshold.
        "settings": teacher.model_dump(mode="json", exclude={"cache", "pseudo_labels"}),
        "data": [data.working_scale, [(s.root, s.mean, s.std) for s in data.sources]],
        "others": depends_on,
    }
    if Path(teacher.cache).resolve().is_relative_to(config.run_folder.resolve()):
        raise UserError(
            f"teacher.cache {teacher.cache} lies in the run's folder, which --overwrite deletes: choose "
            "another"
        )
    folder = Path(teacher.cache) / short_hash(json.dumps(named_after, sort_keys=True))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"teacher cache {folder} cannot be made: {reason(error)}") from error
    return folder


class TeacherCache:
    """Keeps a teacher's outputs in files and reads them from there.

    :param folder: the folder of the files, which exists.
    :param maps: names of the maps that are kept.
    """

    def __init__(self, folder: Path, maps: Sequence[str]) -> None:
        self.folder = folder
        self.maps = maps
        self._check = Checks()

    def __call__(
        self, teacher: Callable[[Tensor], Output], batch: Mapping[str, Any], strides: Mapping[str, int]
    ) -> Output:
        """Return the teacher's outputs for a batch, from the files where those of all its images exist.

        :param teacher: called with the images where a file is missing.
        :param batch: ``image`` [B, 3, H, W] and ``path``, the B files of the images.
        :param strides: strides of the teacher's feature maps by name, the coarsest last.
        """
        image: Tensor = batch["image"]
        files = [self.folder / f"{short_hash(version(path))}.safetensors" for path in batch["path"]]
        kept = {*self.maps, *list(strides)[-1:]}
        if all(file.is_file() for file in files):
            self._check(files, kept)
            return _read(files, image, strides)
        output = teacher(image)
        maps = {name: feature_map(output, name).values.half().cpu() for name in kept}
        for number, file in enumerate(files):
            tensors = {name: values[number].contiguous() for name, values in maps.items()}
            write_maps(file, tensors)
        return output


def _read(files: list[Path], image: Tensor, strides: Mapping[str, int]) -> Output:
    """Return the outputs for a batch from its images' files; a map that was not kept has no channels."""
    try:
        shapes = _shapes(files[0])
        # Page-locked where a GPU reads it, so that the copy to it needs no other and nobody waits for it.
        kept = {}
        for name, shape in shapes.items():
            kept[name] = torch.empty((len(files), *shape), dtype=torch.float16, pin_memory=image.is_cuda)
        with ThreadPoolExecutor(min(len(files), READERS)) as pool:
            list(pool.map(partial(_read_image, files, kept), range(len(files))))
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        listed = ", ".join(map(str, files))
        raise UserError(f"one of the teacher cache's files {listed} is damaged: delete it") from error
    maps = {}
    for name, values in kept.items():
        on_device = values.to(image.device, non_blocking=True)
        # The losses compute in FP32 whatever they are given; a GPU's memory is spared the larger copy.
        maps[name] = on_device if image.is_cuda else on_device.to(image.dtype)
    nothing = image[:, :0]
    return Output(
        logits=maps.get("logits", nothing),
        pre_logits=maps.get("pre_logits", nothing),
        features={name: maps[name] for name in strides if name in maps},
        strides={name: stride for name, stride in strides.items() if name in maps},
    )


def _shapes(file: Path) -> dict[str, list[int]]:
    """Return the shapes of a file's tensors by name."""
    with safe_open(file, "pt") as tensors:
        return {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118


def _read_image(files: list[Path], kept: dict[str, Tensor], number: int) -> None:
    """Copy one image's maps to their place in the batch.

    :raises ValueError: if they have other shapes than those of the batch's first image.
    """
    with safe_open(files[number], "pt") as tensors:
        for name, batch in kept.items():
            values = tensors.get_tensor(name)
            if values.shape != batch.shape[1:]:
                raise ValueError(f"{name} has shape {tuple(values.shape)}")
            batch[number].copy_(values)
