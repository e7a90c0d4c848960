"""A tiny ACDC tree on disk: random images and labels in the data set's own layout."""

from pathlib import Path

import numpy as np
from PIL import Image

CONDITIONS = ("fog", "night", "rain", "snow")


def write_acdc(
    root: Path,
    *,
    splits: tuple[str, ...] = ("train", "val"),
    conditions: tuple[str, ...] = CONDITIONS,
    frames: int = 2,
    size: tuple[int, int] = (12, 20),
    image_folder: str = "rgb_anon",
    label_folder: str = "gt",
    label_kind: str = "labelTrainIds",
    seed: int = 0,
) -> Path:
    """Write ``frames`` frames of ``size`` (height, width) per condition and split, ``*_ref`` splits too."""
    rng = np.random.default_rng(seed)
    for condition in conditions:
        for split in splits:
            ref = "_ref" if split.endswith("_ref") else ""
            for number in range(frames):
                stem = f"GP01/GP01_frame_{number:06d}"
                image = root / image_folder / condition / split / f"{stem}_rgb{ref}_anon.png"
                labels = root / label_folder / condition / split / f"{stem}_gt{ref}_{label_kind}.png"
                write_png(image, rng.integers(0, 256, (*size, 3), dtype=np.uint8))
                write_png(labels, rng.choice(np.array([*range(19), 255], np.uint8), size))
    return root


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 [H, W] or [H, W, 3] RGB, making the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
