"""SFNet and SFNet-Lite over ResNet18 as github.com/lxtGH/SFSegNets names them.

Where their modules stack maps before a convolution, they stack them in another order than this project's do;
the convolution's input channels are put in this project's order. Their heads of deep supervision (``dsn``)
serve training alone; SFNet-Lite here has the same one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from distill.imports.translation import Rename, Tensors, Translation, translate

COMMON: tuple[Rename, ...] = (
    (r"^layer0\.0\.", "conv1."),
    (r"^layer0\.1\.", "bn1."),
    (r"^(?=(conv1|bn1|layer[1-4])\.)", "backbone."),
    (r"^head\.ppm\.stages\.(\d)\.1\.", r"pool.projections.\1.0."),
    (r"^head\.ppm\.stages\.(\d)\.2\.", r"pool.projections.\1.1."),
    (r"^head\.ppm\.bottleneck\.", "pool.merge."),
    (r"^head\.conv_last\.0\.", "mix."),
    (r"^head\.conv_last\.1\.", "classifier."),
)

ALIGNMENT: tuple[Rename, ...] = (
    (r"\.down_l\.", ".project.fine."),
    (r"\.down_h\.", ".project.coarse."),
    (r"\.flow_make\.", ".flow."),
    (r"\.flow_gate\.0\.", ".gate."),
)

SFNET: tuple[Rename, ...] = (
    *COMMON,
    (r"^head\.fpn_in\.", "laterals."),
    (r"^head\.fpn_out\.(\d)\.0\.", r"smoothings.\1."),
    (r"^head\.fpn_out_align\.", "alignments."),
    *ALIGNMENT,
)

LITE: tuple[Rename, ...] = (
    *COMMON,
    (r"^head\.fpn_in\.0\.", "lateral4."),
    (r"^head\.fpn_in\.1\.", "lateral16."),
    (r"^head\.fpn_in\.2\.", "supervision.0."),
    (r"^head\.dsn\.([01])\.", lambda found: f"supervision.{int(found[1]) + 1}."),
    (r"^head\.dsn\.4\.", "supervision.5."),
    (r"^head\.flow_align_module\.", "alignment."),
    *ALIGNMENT,
)

IMAGENET = r"fc\."
"""The classifier of ImageNet."""

GATE_ORDER = (1, 3, 0, 2)
"""Theirs are the means of coarse and fine map, then their maxima; this project's are mean and maximum of the
fine map, then those of the coarse one."""


def translate_sfnet(tensors: Tensors) -> Translation:
    """Translate the tensors of a whole SFNet."""
    return _reordered(translate(tensors, SFNET, (IMAGENET, r"head\.dsn\.", r"criterion\.")))


def translate_sfnet_lite(tensors: Tensors) -> Translation:
    """Translate the tensors of a whole SFNet-Lite with its gated alignment."""
    return _reordered(translate(tensors, LITE, (IMAGENET, r"criterion\.")))


def _reordered(translation: Translation) -> Translation:
    """Put the input channels of the flows' and gates' convolutions in this project's order."""
    for name, tensor in translation.tensors.items():
        if name.endswith(".flow.weight"):
            translation.tensors[name] = _halves_swapped(tensor)
        elif name.endswith(".gate.weight") and tensor.shape[1] == len(GATE_ORDER):
            translation.tensors[name] = tensor[:, list(GATE_ORDER)]
    return translation


def _halves_swapped(weight: Tensor) -> Tensor:
    """Return a convolution's weight [out, in, k, k] for stacked halves in the other order."""
    return torch.cat(weight.chunk(2, dim=1)[::-1], dim=1)
