"""Writes random scenes as a data set in ACDC's layout.

A file ``scenes.json`` next to the images records how they were made. Writing into the same folder again with
the same settings makes only what is missing; other settings are refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from distill.common.parallel import run_jobs
from distill.scenes.render import render_scene
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason

RECORD = "scenes.json"
"""File that holds the settings of a data set."""
SPLITS = ("train", "val")


@dataclass(frozen=True)
class Settings:
    """All settings of a data set; ``version`` changes when the same seed gives other pictures."""

    seed: int
    train: int
    val: int
    size: tuple[int, int]
    conditions: tuple[str, ...]
    version: int = 1


@dataclass(frozen=True)
class _Job:
    root: Path
    seed: int
    size: tuple[int, int]
    condition: str
    split: str
    index: int


def image_paths(root: Path, seed: int, condition: str, split: str, index: int) -> tuple[Path, Path]:
    """Return the paths of image number ``index`` and of its labels in ACDC's layout."""
    sequence = f"SCENES{seed:04d}"
    name = f"{sequence}_frame_{index:06d}"
    image = root / "rgb_anon" / condition / split / sequence / f"{name}_rgb_anon.png"
    return image, root / "gt" / condition / split / sequence / f"{name}_gt_labelTrainIds.png"


def write_dataset(
    out: str | Path,
    train: int,
    val: int,
    size: tuple[int, int],
    seed: int,
    conditions: Sequence[str] = CONDITIONS,
    workers: int = 1,
) -> int:
    """Write ``train`` + ``val`` images in all, image k in condition k mod n; return how many were made.

    Every image shows another street, and is the same whatever the number of workers.

    :param size: (height, width) in pixels.
    :raises UserError: if ``out`` is a file, holds something else, or cannot be written.
    """
    root = Path(out)
    settings = Settings(seed, train, val, size, tuple(conditions))
    _claim(root, settings)
    missing = []
    for split, count in zip(SPLITS, (train, val), strict=True):
        for index in range(count):
            job = _Job(root, seed, size, conditions[index % len(conditions)], split, index)
            image, _ = image_paths(root, seed, job.condition, split, index)
            if not image.exists():
                missing.append(job)
    for _ in run_jobs(_write_image, missing, workers, "scenes"):
        pass
    return len(missing)


def made_by(root: Path) -> str:
    """Return how a folder of scenes was made, as a command; empty for a folder of anything else."""
    try:
        made = Settings(**json.loads((root / RECORD).read_text()))
        height, width = made.size
    except (OSError, ValueError, TypeError):
        return ""
    return f"kd_seg scenes --train {made.train} --val {made.val} --size {height}x{width} --seed {made.seed}"


def _claim(root: Path, settings: Settings) -> None:
    """Refuse a folder that holds anything else, and record the settings in it."""
    if root.exists() and not root.is_dir():
        raise UserError(f"--out {root} is a file: give a folder")
    record = root / RECORD
    text = json.dumps(asdict(settings), indent=2) + "\n"
    try:
        if record.exists():
            if record.read_bytes() != text.encode():
                raise UserError(
                    f"--out {root} holds scenes made with other settings: give another folder or remove it"
                )
        elif root.exists() and any(root.iterdir()):
            raise UserError(f"--out {root} is not empty and holds no scenes: give a new folder")
        root.mkdir(parents=True, exist_ok=True)
        record.write_text(text)
    except OSError as error:
        raise UserError(f"--out {root} cannot be written: {reason(error)}") from error


def _write_image(job: _Job) -> None:
    sequence = np.random.SeedSequence((job.seed, SPLITS.index(job.split), job.index))
    frame = render_scene(sequence, job.size, job.condition)
    image, labels = image_paths(job.root, job.seed, job.condition, job.split, job.index)
    write_png(labels, frame.labels)
    write_png(image, frame.rgb[..., ::-1])  # last: an image that is there has its labels


def write_png(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write a grey or BGR picture, whole or not at all.

    :raises UserError: if it cannot be written.
    """
    _, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data.tobytes())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {reason(error)}") from error
