"""Tiny data sets on disk: one writer for every name in the registry, all with random images and labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from acdc_tree import write_acdc, write_png
from PIL import Image

TRAIN_IDS = np.array([*range(19), 255], np.uint8)


def noise(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


def write_cityscapes(
    root: Path,
    *,
    splits: tuple[str, ...] = ("train", "val"),
    cities: tuple[str, ...] = ("aachen", "ulm"),
    frames: int = 2,
    size: tuple[int, int] = (10, 20),
    image_folder: str = "leftImg8bit",
    label_folder: str = "gtFine",
    kind: str = "labelIds",
) -> Path:
    """Random images; labels of ``kind`` with road, sky and car, none in the test split."""
    rng = np.random.default_rng(0)
    values = {"labelIds": [7, 23, 26, 0], "labelTrainIds": [0, 10, 13, 255]}[kind]
    for split in splits:
        for city in cities:
            for number in range(frames):
                stem = f"{city}_{number:06d}_000019"
                write_png(root / image_folder / split / city / f"{stem}_leftImg8bit.png", noise(rng, size))
                if split != "test":
                    labels = rng.choice(np.array(values, np.uint8), size)
                    write_png(root / label_folder / split / city / f"{stem}_gtFine_{kind}.png", labels)
    return root


def write_bdd10k(
    root: Path, *, old: bool = False, splits: tuple[str, ...] = ("train", "val"), frames: int = 3
) -> Path:
    """JPEG images with random trainIds, none in the test split."""
    rng = np.random.default_rng(0)
    images, labels = ("seg/images", "seg/labels") if old else ("images/10k", "labels/sem_seg/masks")
    for split in splits:
        for number in range(frames):
            stem = f"{number:08x}-{split}"
            path = root / images / split / f"{stem}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise(rng, (18, 32))).save(path)
            if split != "test":
                name = f"{stem}_train_id.png" if old else f"{stem}.png"
                write_png(root / labels / split / name, rng.choice(TRAIN_IDS, (18, 32)))
    return root


def write_folder(root: Path, labels: list[np.ndarray], *, suffix: str = "") -> Path:
    """``images/sub/NN.png`` of noise next to ``labels/sub/NN{suffix}.png``, which holds ``labels[NN]``."""
    rng = np.random.default_rng(0)
    for number, pixels in enumerate(labels):
        write_png(root / "images" / "sub" / f"{number:02d}.png", noise(rng, pixels.shape[:2]))
        write_png(root / "labels" / "sub" / f"{number:02d}{suffix}.png", pixels)
    return root


def write_plain(root: Path, *, splits: tuple[str, ...] = ("train", "val")) -> Path:
    """A folder per split as :func:`write_folder` makes it, and ``classes.yaml``: 0 is road, 1 is sky."""
    for split in splits:
        write_folder(root / split, [np.array([[0, 1, 255]], np.uint8)])
    (root / "classes.yaml").write_text("values: {0: road, 1: sky}\n")
    return root


TREES: dict[str, Callable[..., Path]] = {
    "acdc": write_acdc,
    "cityscapes": write_cityscapes,
    "bdd10k": write_bdd10k,
    "folder": write_plain,
}
"""Writes a tiny data set of each kind: ``TREES[name](root, splits=("train", "val"))``."""


def data_options(name: str, root: Path, split: str) -> list[str]:
    """The command-line options that choose a split of the data set that ``TREES[name]`` wrote."""
    if name != "folder":
        return ["--dataset", name, "--root", str(root), "--split", split]
    folder = root / split
    labels = ["--labels", str(folder / "labels"), "--classes", str(root / "classes.yaml")]
    return ["--dataset", name, "--images", str(folder / "images"), *(labels if split != "test" else [])]
