"""Cityscapes (Cordts et al., CVPR 2016): 2048×1024 frames from 50 cities by day in fair weather.

Its two zips unpack to::

    leftImg8bit/{split}/{city}/{name}_leftImg8bit.png
    gtFine/{split}/{city}/{name}_gtFine_labelIds.png

Where there are ``_gtFine_labelTrainIds`` next to the labelIds, as Cityscapes' own scripts make them, they
are read instead. Folders named after the zips (``leftImg8bit_trainvaltest/leftImg8bit``,
``gtFine_trainvaltest/gtFine``) are accepted too. The labels of the test split are not public.
"""

from pathlib import Path
from typing import Final

from distill.datasets.acdc import LABEL_IDS_TO_TRAIN_IDS
from distill.datasets.frame import Rgb
from distill.datasets.listing import Listing, Naming, check_split, first_folder, list_split

CITYSCAPES_MEAN: Final[Rgb] = (0.2869, 0.3251, 0.2839)
"""Mean of R, G and B over the training images, 0…1."""
CITYSCAPES_STD: Final[Rgb] = (0.1761, 0.1810, 0.1777)
"""Standard deviation of R, G and B over the training images, 0…1."""

_NAMING: Final = Naming(
    folder_depth=1,
    image_suffix="_leftImg8bit.png",
    label_suffixes={"_gtFine_labelTrainIds.png": None, "_gtFine_labelIds.png": LABEL_IDS_TO_TRAIN_IDS},
)


def list_cityscapes(root: str | Path, split: str) -> Listing:
    """List one split of Cityscapes by city and file name, all of condition "normal".

    :param root: the folder that holds ``leftImg8bit`` and ``gtFine``.
    :param split: train, val or test; test frames have no labels.
    :raises UserError: naming the folder that is missing or has no images.
    """
    check_split(split, "Cityscapes")
    root = Path(root).expanduser()
    remedy = "unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip there"
    images = first_folder(root, ("leftImg8bit", "leftImg8bit_trainvaltest/leftImg8bit"), remedy)
    labels = None
    if split != "test":
        labels = first_folder(root, ("gtFine", "gtFine_trainvaltest/gtFine"), remedy) / split
    return list_split(images / split, labels, _NAMING, "normal", remedy)
