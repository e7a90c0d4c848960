"""ACDC, the Adverse Conditions Dataset with Correspondences (Sakaridis et al., ICCV 2021).

Its two zips unpack to::

    rgb_anon/{condition}/{split}/{sequence}/{name}_rgb_anon.png
    gt/{condition}/{split}/{sequence}/{name}_gt_labelTrainIds.png   (train and val only)

The clear-weather views of the same places lie beside them, in ``{split}_ref`` with the suffixes
``_rgb_ref_anon`` and ``_gt_ref_labelTrainIds``. Folders named after the zips
(``rgb_anon_trainvaltest/rgb_anon``, ``gt_trainval/gt``) are accepted too, and ``_gt_labelIds`` where
the trainIds are missing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from distill.data.dataset import Frame, Sample, SegmentationDataset
from kd_seg_ros.classes import IGNORE_ID
from kd_seg_ros.errors import UserError

CONDITIONS: Final[tuple[str, ...]] = ("fog", "night", "rain", "snow")
SPLITS: Final[tuple[str, ...]] = ("train", "val", "test")
REFERENCE_CONDITION: Final[str] = "normal"
"""Condition of the clear-weather reference frames."""

ACDC_MEAN: Final[tuple[float, float, float]] = (0.40876, 0.38671, 0.37331)
"""RGB, 0…1."""
ACDC_STD: Final[tuple[float, float, float]] = (0.26754, 0.27372, 0.29312)

_LABEL_IDS: Final = (7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33)
"""Cityscapes' labelIds of trainIds 0…18; the other ids up to 33, and 255, are ignored in training."""


def _label_map() -> bytes:
    """Table from labelIds to trainIds; ids that do not exist stay themselves, to be refused."""
    table = bytearray(range(256))
    table[:34] = bytes([IGNORE_ID] * 34)
    for train_id, label_id in enumerate(_LABEL_IDS):
        table[label_id] = train_id
    return bytes(table)


LABEL_IDS_TO_TRAIN_IDS: Final[bytes] = _label_map()


class AcdcDataset(SegmentationDataset):
    """One split of ACDC, ordered by condition and file name.

    :param root: the folder that holds ``rgb_anon`` and ``gt``.
    :param split: train, val or test; test frames have no labels.
    :param conditions: which of :data:`CONDITIONS`.
    :param transform: called as ``transform(sample, rng)``, see :class:`SegmentationDataset`.
    :param reference: read the clear-weather views of those conditions instead.
    :param seed: of the random generators handed to ``transform``.
    :raises UserError: naming the folder or file that is missing.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        conditions: Sequence[str] = CONDITIONS,
        transform: Callable[[Sample, np.random.Generator], Any] | None = None,
        *,
        reference: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(acdc_frames(root, split, conditions, reference), transform, seed)


def acdc_frames(
    root: str | Path, split: str, conditions: Sequence[str] = CONDITIONS, reference: bool = False
) -> list[Frame]:
    """List a split's frames, see :class:`AcdcDataset`."""
    if split not in SPLITS:
        raise UserError(f"unknown ACDC split {split!r}: choose from {', '.join(SPLITS)}")
    if not conditions or set(conditions) - set(CONDITIONS):
        given = ", ".join(map(repr, conditions)) or "none"
        raise UserError(f"conditions must be some of {', '.join(CONDITIONS)}, not {given}")
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"ACDC root {root} " + ("is not a folder" if root.exists() else "does not exist"))
    images = _unpacked(root, "rgb_anon", "rgb_anon_trainvaltest")
    labels = None if split == "test" else _unpacked(root, "gt", "gt_trainval")

    ref = "_ref" if reference else ""
    frames = []
    for condition in conditions:
        folder = images / condition / f"{split}{ref}"
        suffix = f"_rgb{ref}_anon.png"
        paths = sorted(folder.glob(f"*/*{suffix}"))
        if not paths:
            problem = f"has no */*{suffix}" if folder.is_dir() else "does not exist"
            raise UserError(f"ACDC folder {folder} {problem}: unpack rgb_anon_trainvaltest.zip in {root}")
        for path in paths:
            frame_condition = REFERENCE_CONDITION if reference else condition
            if labels is None:
                frames.append(Frame(path, None, frame_condition))
            else:
                stem = labels / path.relative_to(images).with_name(
                    path.name.removesuffix(suffix) + f"_gt{ref}"
                )
                frames.append(_labelled(path, stem, frame_condition))
    return frames


def _unpacked(root: Path, folder: str, zip_name: str) -> Path:
    for candidate in (root / folder, root / zip_name / folder):
        if candidate.is_dir():
            return candidate
    raise UserError(
        f"{root} has neither {folder} nor {zip_name}/{folder}: unpack ACDC's {zip_name}.zip there"
    )


def _labelled(image: Path, stem: Path, condition: str) -> Frame:
    """Pair an image with its labels, preferring trainIds."""
    train_ids = stem.with_name(stem.name + "_labelTrainIds.png")
    if train_ids.is_file():
        return Frame(image, train_ids, condition)
    label_ids = stem.with_name(stem.name + "_labelIds.png")
    if label_ids.is_file():
        return Frame(image, label_ids, condition, LABEL_IDS_TO_TRAIN_IDS)
    raise UserError(f"image {image} has no labels: {train_ids} does not exist; unpack gt_trainval.zip again")
