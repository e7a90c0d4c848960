"""BDD10K, the 10 000 segmented images of BDD100K (Yu et al., CVPR 2020).

They are 1280×720 pixels, taken by day and night and in all weathers. There are two layouts, both with
trainIds; either may lie below the folder ``bdd100k`` of the zips::

    images/10k/{split}/{name}.jpg    labels/sem_seg/masks/{split}/{name}.png
    seg/images/{split}/{name}.jpg    seg/labels/{split}/{name}_train_id.png      (the older one)

The labels of the test split are not public. The layout does not say in which weather an image was taken: all
have the condition "mixed".
"""

from pathlib import Path
from typing import Final

from distill.datasets.frame import Rgb
from distill.datasets.listing import Listing, Naming, check_split, first_folder, list_split

BDD10K_MEAN: Final[Rgb] = (0.3702, 0.4145, 0.4245)
"""Mean of R, G and B over the training images, 0…1."""
BDD10K_STD: Final[Rgb] = (0.2525, 0.2693, 0.2865)
"""Standard deviation of R, G and B over the training images, 0…1."""

_LAYOUTS: Final = {
    "images/10k": ("labels/sem_seg/masks", ".png"),
    "seg/images": ("seg/labels", "_train_id.png"),
}
"""Label folder and suffix of the label files, by image folder."""


def list_bdd10k(root: str | Path, split: str) -> Listing:
    """List one split of BDD10K by file name, all of condition "mixed".

    :param root: the folder that holds ``images`` and ``labels``, or ``seg``, or ``bdd100k`` with either.
    :param split: train, val or test; test frames have no labels.
    :raises UserError: naming the folder that is missing or has no images.
    """
    check_split(split, "BDD10K")
    root = Path(root).expanduser()
    remedy = "unpack BDD100K's 10k images and segmentation labels there"
    candidates = [*_LAYOUTS, *[f"bdd100k/{folder}" for folder in _LAYOUTS]]
    images = first_folder(root, candidates, remedy)
    # Both layouts' image folders lie two levels below the folder of the data set.
    label_folder, suffix = _LAYOUTS["/".join(images.parts[-2:])]
    labels = None if split == "test" else images.parents[1] / label_folder / split
    naming = Naming(folder_depth=0, image_suffix=".jpg", label_suffixes={suffix: None})
    return list_split(images / split, labels, naming, "mixed", remedy)
