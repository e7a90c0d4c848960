"""ACDC, the Adverse Conditions Dataset with Correspondences (Sakaridis et al., ICCV 2021).

Its two zips unpack to::

    rgb_anon/{condition}/{split}/{sequence}/{name}_rgb_anon.png
    gt/{condition}/{split}/{sequence}/{name}_gt_labelTrainIds.png   (train and val only)

The clear-weather views of the same places lie next to them, in ``{split}_ref`` with the suffixes
``_rgb_ref_anon`` and ``_gt_ref_labelTrainIds``. Folders named after the zips
(``rgb_anon_trainvaltest/rgb_anon``, ``gt_trainval/gt``) are accepted too, and ``_gt_labelIds`` where
the trainIds are missing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from distill.datasets.listing import Listing, Naming, check_split, first_folder, joined, list_split
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError

REFERENCE_CONDITION: Final[str] = "normal"
"""Condition of the clear-weather reference frames."""

ACDC_CONDITIONS: Final[tuple[str, ...]] = (*CONDITIONS, REFERENCE_CONDITION)
"""What the images of ACDC can be chosen by: four adverse weathers, and the clear one of all references."""

ACDC_MEAN: Final[tuple[float, float, float]] = (0.40876, 0.38671, 0.37331)
"""Mean of R, G and B over the training images, 0…1."""
ACDC_STD: Final[tuple[float, float, float]] = (0.26754, 0.27372, 0.29312)
"""Standard deviation of R, G and B over the training images, 0…1."""

_LABEL_IDS: Final = (7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33)
"""Cityscapes' labelIds of trainIds 0…18; the other ids up to 33, and 255, are ignored in training."""


def _label_map() -> bytes:
    """Build the table from labelIds to trainIds; ids that do not exist stay themselves, to be refused."""
    table = bytearray(range(256))
    table[:34] = bytes([IGNORE_ID] * 34)
    for train_id, label_id in enumerate(_LABEL_IDS):
        table[label_id] = train_id
    return bytes(table)


LABEL_IDS_TO_TRAIN_IDS: Final[bytes] = _label_map()
"""256 trainIds indexed by labelId."""


def list_acdc(
    root: str | Path, split: str, conditions: Sequence[str] = CONDITIONS, reference: bool = False
) -> Listing:
    """List one split of ACDC, ordered by condition and file name.

    :param root: the folder that holds ``rgb_anon`` and ``gt``.
    :param split: train, val or test; test frames have no labels.
    :param conditions: which of :data:`ACDC_CONDITIONS`, each once; "normal": the clear-weather views of the
        places of all four weathers.
    :param reference: list the clear-weather views of those conditions instead.
    :raises UserError: naming the folder that is missing or has no images.
    """
    check_split(split, "ACDC")
    if not conditions or set(conditions) - set(ACDC_CONDITIONS) or len(set(conditions)) < len(conditions):
        given = ", ".join(map(repr, conditions)) or "none"
        raise UserError(f"conditions must be some of {', '.join(ACDC_CONDITIONS)}, each once, not {given}")
    root = Path(root).expanduser()
    remedy = f"unpack ACDC's rgb_anon_trainvaltest.zip and gt_trainval.zip in {root}"
    images = first_folder(root, ("rgb_anon", "rgb_anon_trainvaltest/rgb_anon"), remedy)
    labels = None if split == "test" else first_folder(root, ("gt", "gt_trainval/gt"), remedy)
    listings = []
    for condition in conditions:
        if condition != REFERENCE_CONDITION:
            listings.append(_list_weather(images, labels, condition, split, reference, remedy))
            continue
        places = [weather for weather in CONDITIONS if (images / weather / f"{split}_ref").is_dir()]
        for weather in places or CONDITIONS:
            listings.append(_list_weather(images, labels, weather, split, True, remedy))
    return joined(listings)


def _list_weather(
    images: Path, labels: Path | None, condition: str, split: str, reference: bool, remedy: str
) -> Listing:
    """List one split of one weather, or the clear-weather views of the same places."""
    ref = "_ref" if reference else ""
    kinds = {f"_gt{ref}_labelTrainIds.png": None, f"_gt{ref}_labelIds.png": LABEL_IDS_TO_TRAIN_IDS}
    naming = Naming(folder_depth=1, image_suffix=f"_rgb{ref}_anon.png", label_suffixes=kinds)
    folder = f"{condition}/{split}{ref}"
    label_folder = labels / folder if labels else None
    weather = REFERENCE_CONDITION if reference else condition
    return list_split(images / folder, label_folder, naming, weather, remedy)
