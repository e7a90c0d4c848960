"""Semantic and universal segmentation networks of Hugging Face ``transformers``, from a local folder.

:mod:`distill.teachers.huggingface_folder` reads the folder. The architecture that its config.json names
decides how class probabilities come about:

- ``…ForSemanticSegmentation`` (SegFormer, UPerNet, DPT, BEiT, …) returns logits; their softmax.
- Mask2Former, MaskFormer, EoMT return Q queries, each with logits a over K classes and "no object", and a
  mask m at each pixel. Their semantic scores, normalised over the classes to sum to 1 ::

      score_k = Σ_q softmax(a_q)_k · sigmoid(m_q),    k = 1 … K, without "no object"

  (Cheng et al., "Per-Pixel Classification is Not All You Need for Semantic Segmentation", NeurIPS 2021.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from distill.common.class_mapping import map_classes
from distill.teachers.external import ExternalTeacher, InputSize, Normalisation, TeacherOptions
from distill.teachers.huggingface_folder import UNIVERSAL, Folder, open_folder

SMALLEST_SCORE: Final = 1e-30
"""Least score of a class relative to the sigmoid of the pixel's strongest mask."""


def load_huggingface(
    folder: Path,
    student: Normalisation,
    options: TeacherOptions,
) -> ExternalTeacher:
    """Make a teacher from a folder.

    :param student: normalisation of the images it will be given.
    :param options: its values win over what the folder's config.json and preprocessor_config.json say.
        Without a size the teacher sees images at the student's size, or at config.json's image_size where it
        is built for one.
    :raises UserError: if anything is missing, damaged or of a kind that gives no class probabilities.
    """
    opened = open_folder(folder, options.class_names, options.mean, options.std)
    return ExternalTeacher(
        scores_of(opened),
        map_classes(opened.class_names, options.classes, str(folder)),
        student=student,
        own=opened.normalisation,
        size=_input_size(opened, options.size),
        source=str(folder),
        architecture=opened.architecture,
    )


def _input_size(opened: Folder, size: tuple[int, int] | None) -> InputSize:
    """Return the size that the network is built for, or else multiples of its strides and patches."""
    fixed = size or opened.fixed_size
    return InputSize(fixed) if fixed is not None else InputSize(multiple=opened.multiple)


class SemanticScores(nn.Module):
    """A network that returns logits, [B, K, h, w]."""

    def __init__(self, model: nn.Module, bgr: bool = False) -> None:
        super().__init__()
        self.model = model
        self.bgr = bgr

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits for normalised images [B, 3, H, W]."""
        logits: Tensor = self.model(pixel_values=image.flip(1) if self.bgr else image).logits
        return logits.float()


class UniversalScores(SemanticScores):
    """A network that returns queries; their semantic scores as logarithms, [B, K, h, w]."""

    def forward(self, image: Tensor) -> Tensor:
        """Return log Σ_q softmax(a_q)_k · sigmoid(m_q) for normalised images [B, 3, H, W]."""
        output = self.model(pixel_values=image.flip(1) if self.bgr else image)
        with torch.autocast(image.device.type, enabled=False):
            classes = output.class_queries_logits.float().softmax(dim=-1)[..., :-1]
            # Relative to the strongest query of each pixel: where all masks are faint, their sigmoids are
            # next to 0, and ONNX Runtime's ends at −18. log sigmoid(m) = min(m, 0) − log(1 + exp(−|m|)).
            masks = output.masks_queries_logits.float()
            masks = masks.clamp(max=0) - (-masks.abs()).exp().log1p()
            strongest = masks.amax(dim=1, keepdim=True)
            scores = torch.einsum("bqk,bqhw->bkhw", classes, (masks - strongest).exp())
            return scores.clamp(min=SMALLEST_SCORE).log() + strongest


def scores_of(opened: Folder) -> SemanticScores:
    """Return the network of a folder as one that maps normalised images to logits or log scores."""
    kind = UniversalScores if opened.architecture in UNIVERSAL else SemanticScores
    return kind(opened.model, opened.bgr)
