"""A teacher's outputs on disk, for training without augmentation: each image is shown to the teacher once.

An image whose scale, crop, mirroring and colours never vary gives the same outputs in every epoch. They are
kept in one file per image, in half precision, below a folder that is named after everything they depend on:
the teacher's file, and the mean, std, crop and working scale of the data. Only the maps that the objective
compares are kept, and the coarsest one, which tells how the teacher pads.

Half precision rounds each value by up to 1/2048 of itself. The files are in the format of safetensors,
without pickle and without compression: they are mapped into memory, and several threads copy the images of
a batch to where the device reads them from. They are written atomically, each process under names of its
own, so that a run that is killed leaves whole files and several runs can fill one folder at the same time.
Each file holds a checksum of its maps, which every run compares once, when it first reads the file: a damaged
file, or one of other maps, is refused by name and never trained on.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from distill.common.tensor_file import write_tensors
from distill.config import Config, DataConfig, ObjectiveConfig
from distill.config.objective import NO_LOSS
from distill.datasets.frame import Frame
from distill.models.output import Output
from distill.training.feature_maps import feature_map
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import reason, sha256

FORMAT = 2
"""Version of the files; those of another one lie in a folder of their own."""
CHECKSUM = "crc32"
"""Key of the checksum in a file's header."""
READERS = 8
"""Threads that read the images of a batch at the same time."""


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
    data, teacher = config.data, config.teacher
    assert teacher is not None
    assert teacher.cache is not None
    maps = needed_maps(config.objective)
    depends_on = {
        "format": FORMAT,
        "teacher": _digest(teacher.path),
        "settings": teacher.model_dump(mode="json", exclude={"cache"}),
        "data": [data.crop, data.working_scale, [(s.root, s.mean, s.std) for s in data.sources]],
        "maps": maps,
    }
    if Path(teacher.cache).resolve().is_relative_to(config.run_folder.resolve()):
        raise UserError(
            f"teacher.cache {teacher.cache} lies in the run's folder, which --overwrite deletes: choose "
            "another"
        )
    folder = Path(teacher.cache) / _hash(json.dumps(depends_on, sort_keys=True))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"teacher cache {folder} cannot be made: {reason(error)}") from error
    return TeacherCache(folder, maps)


class TeacherCache:
    """Keeps a teacher's outputs in files and reads them from there.

    :param folder: the folder of the files, which exists.
    :param maps: names of the maps that are kept.
    """

    def __init__(self, folder: Path, maps: Sequence[str]) -> None:
        self.folder = folder
        self.maps = maps
        self._checked: set[Path] = set()

    def __call__(
        self, teacher: Callable[[Tensor], Output], batch: Mapping[str, Any], strides: Mapping[str, int]
    ) -> Output:
        """Return the teacher's outputs for a batch, from the files where those of all its images exist.

        :param teacher: called with the images where a file is missing.
        :param batch: ``image`` [B, 3, H, W] and ``path``, the B files of the images.
        :param strides: strides of the teacher's feature maps by name, the coarsest last.
        """
        image: Tensor = batch["image"]
        files = [self.folder / f"{_hash(_version(path))}.safetensors" for path in batch["path"]]
        kept = {*self.maps, *list(strides)[-1:]}
        if all(file.is_file() for file in files):
            self._check(files, kept)
            return _read(files, image, strides)
        output = teacher(image)
        maps = {name: feature_map(output, name).values.half().cpu() for name in kept}
        for number, file in enumerate(files):
            tensors = {name: values[number].contiguous() for name, values in maps.items()}
            _write(file, tensors)
        return output

    def _check(self, files: Iterable[Path], names: set[str]) -> None:
        """Compare the content of files that this run has not read before with their headers.

        :param names: of the maps that each must hold.
        :raises UserError: for the first one that is damaged or holds something else.
        """
        fresh = [file for file in files if file not in self._checked]
        if fresh:
            with ThreadPoolExecutor(min(len(fresh), READERS)) as pool:
                list(pool.map(partial(_check_file, names=names), fresh))
            self._checked.update(fresh)


def _check_file(file: Path, names: set[str]) -> None:
    """Refuse a file that is damaged, or holds other maps or other numbers; raises UserError."""
    try:
        with safe_open(file, "pt") as tensors:
            stored = (tensors.metadata() or {}).get(CHECKSUM)
            found = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        fault = ""
        if set(found) != names:
            fault = f"it holds {', '.join(sorted(found)) or 'nothing'} in place of {', '.join(sorted(names))}"
        elif any(values.dtype != torch.float16 for values in found.values()):
            fault = "its numbers are not in half precision"
        elif stored != _checksum(found):
            fault = "its checksum is wrong"
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise UserError(f"teacher cache {file} is damaged: delete it ({first_line(error)})") from error
    if fault:
        raise UserError(f"teacher cache {file} is damaged: delete it ({fault})")


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the CRC-32 of half-precision maps, their names and their shapes, as text."""
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(f"{name} {list(tensors[name].shape)} ".encode(), value)
        value = zlib.crc32(tensors[name].contiguous().numpy().data, value)
    return f"{value:08x}"


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


def _write(file: Path, tensors: dict[str, Tensor]) -> None:
    """Write one image's maps, whoever else may be writing the same.

    :raises UserError: if that fails, with the reason, such as a full disk.
    """
    own = file.with_name(f"{uuid.uuid4().hex}.part")
    try:
        write_tensors(own, tensors, {CHECKSUM: _checksum(tensors)})
        own.replace(file)
    except UserError as error:
        raise UserError(str(error).replace(str(own), f"teacher cache {file}")) from error
    except OSError as error:
        raise UserError(f"cannot write teacher cache {file}: {reason(error)}") from error
    finally:
        own.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    """Return a hash of a file's content, or of all files below a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return _hash(" ".join(sha256(file) for file in files))


def _version(path: str) -> str:
    """Return a text that is another for another file, size or time of change; without a file its name."""
    try:
        status = Path(path).stat()
    except OSError:
        return path
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
