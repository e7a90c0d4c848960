"""The 19 Cityscapes classes by trainId, their palette, and the ignore id.

Both halves of the project use these; a model file carries its own copy in its card.
"""

from typing import Final

CLASS_NAMES: Final[tuple[str, ...]] = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)

PALETTE: Final[tuple[tuple[int, int, int], ...]] = (
    (128, 64, 128),
    (244, 35, 232),
    (70, 70, 70),
    (102, 102, 156),
    (190, 153, 153),
    (153, 153, 153),
    (250, 170, 30),
    (220, 220, 0),
    (107, 142, 35),
    (152, 251, 152),
    (70, 130, 180),
    (220, 20, 60),
    (255, 0, 0),
    (0, 0, 142),
    (0, 0, 70),
    (0, 60, 100),
    (0, 80, 100),
    (0, 0, 230),
    (119, 11, 32),
)
"""RGB, indexed by trainId."""

IGNORE_ID: Final[int] = 255
"""Label of pixels that belong to no class: never trained on, never counted."""

NUM_CLASSES: Final[int] = len(CLASS_NAMES)
