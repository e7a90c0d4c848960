"""HRNetV2 for segmentation as github.com/HRNet/HRNet-Semantic-Segmentation names it.

The backbone's names are timm's. ``last_layer`` is a 1×1 convolution, its BatchNorm, a ReLU and the
classifier. (HRNet-OCR, of the same repository, is another network.)
"""

from __future__ import annotations

import re

from distill.imports.translation import Rename, Tensors, Translation, translate

BACKBONE = r"^(?=(conv[12]|bn[12]|layer1|transition[123]|stage[234])\.)"

RENAMES: tuple[Rename, ...] = (
    (BACKBONE, "backbone."),
    (r"^last_layer\.([01])\.", r"mix.\1."),
    (r"^last_layer\.3\.", "classifier."),
)

IDLE = (
    r"loss\.",
    r"criterion\.",
    r"classifier\.",
    r"incre_modules\.",
    r"downsamp_modules\.",
    r"final_layer\.",
)
"""The criterion, and the classifier of the ImageNet network with its wider copies of the branches."""


def translate_hrnet(tensors: Tensors) -> Translation:
    """Translate the tensors of a whole HRNetV2."""
    return translate(tensors, RENAMES, IDLE)


def is_ocr(tensors: Tensors) -> bool:
    """Tell whether the tensors are those of HRNet-OCR, which has no ``last_layer`` but object regions."""
    return any(re.match(r"(ocr_|aux_head\.|conv3x3_ocr\.)", name) for name in tensors)
