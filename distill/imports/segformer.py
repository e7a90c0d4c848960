"""SegFormer as github.com/NVlabs/SegFormer names it (mmseg), and as Hugging Face does."""

from __future__ import annotations

from distill.imports.translation import Tensors, Translation
from distill.models.segformer import UNUSED, our_names


def translate_segformer(tensors: Tensors) -> Translation:
    """Translate the tensors of an encoder with its decoder."""
    result = Translation()
    for name, tensor in tensors.items():
        if name in UNUSED:
            result.idle.append(name)
        else:
            result.tensors.update(our_names({name: tensor}))
    return result
