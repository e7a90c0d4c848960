"""One pass over the C probability maps of an image or a piece of it, on the device where they lie.

Nearly all of the C·N probabilities are of a class that is not the label's, and most of those lie below the
first edge. So the label's probability is taken out of each pixel, what remains is counted where it reaches
that edge only, and the rest follows by subtraction.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ROUNDING = 1e-6
"""A probability may exceed 1 by this much, as the mean of several can."""


class Pixels(NamedTuple):
    """Values of n labelled pixels; all are [n]."""

    label: Tensor
    """int64, the labelled class, 0…C−1."""
    prediction: Tensor
    """int64, 0…C−1: the first of the most probable classes."""
    confidence: Tensor
    """float32, probability of the predicted class."""
    of_label: Tensor
    """float32, probability of the labelled class."""
    margin: Tensor | None
    """float64, logit of the predicted minus that of the labelled class; None if probabilities were given."""


class Negatives(NamedTuple):
    """Sums over the probabilities of classes that are not the label's."""

    counts: Tensor
    """int64 [C, K], per class and cell."""
    probability: Tensor
    """float64 [C, K], their sum."""
    squares: Tensor
    """float64 [], sum of their squares over all classes."""


def sweep(
    scores: Tensor, labels: Tensor, edges: Tensor, logits: bool = False, ignore: int = 255
) -> tuple[Pixels, Negatives]:
    """Read all scores once.

    :param scores: [C, N], probabilities, or logits (of which the softmax is taken); read as float32.
    :param labels: integers [N], 0…C−1 or ``ignore``; what was predicted on ignored pixels does not matter.
    :param edges: float32 [K], see :mod:`distill.metrics.cells`.
    :raises ValueError: if labels hold anything else, or a labelled pixel's scores are no probabilities or
        not finite.
    """
    # Ignored pixels keep their place, with all probabilities 0, so that nothing is copied.
    classes, counted = len(scores), labels != ignore
    if ((labels < 0) | (labels >= classes))[counted].any():
        raise ValueError(f"labels hold values other than 0…{classes - 1} and {ignore}")
    index = labels.long().masked_fill(~counted, 0)[None]
    raw = scores.float()
    margin = None
    if logits:
        p = raw.softmax(0).masked_fill_(~counted, 0)
        top, prediction = raw.max(0)
        confidence = p.gather(0, prediction[None])[0]
        margin = (top.double() - raw.gather(0, index)[0].double())[counted]
    else:
        p = raw.masked_fill(~counted, 0)
        confidence, prediction = p.max(0)
    pixels = Pixels(
        label=index[0, counted],
        prediction=prediction[counted],
        confidence=confidence[counted],
        of_label=p.gather(0, index)[0, counted],
        margin=margin,
    )
    _check(p, pixels)
    p.scatter_(0, index, 0)
    negatives = _negatives(p, edges)
    # One probability was taken out of each pixel, and an ignored pixel's are all 0: not below the first edge.
    above = pixels.label.bincount(minlength=classes) + negatives.counts[:, 1:].sum(1)
    negatives.counts[:, 0] = len(pixels.label) - above
    return pixels, negatives


def _check(p: Tensor, pixels: Pixels) -> None:
    """Refuse probabilities outside 0…1 and logits that are not finite; raises ValueError."""
    if p.numel() and not (p.amin() >= 0 and (pixels.confidence <= 1 + ROUNDING).all()):
        wrong = "probabilities must lie in 0…1" if pixels.margin is None else "logits hold NaN or infinity"
        raise ValueError(wrong)
    if pixels.margin is not None and not pixels.margin.isfinite().all():
        raise ValueError("logits hold infinity")


def _negatives(p: Tensor, edges: Tensor) -> Negatives:
    """Count and sum probabilities [C, n] by class and cell; cell 0 is not counted. Overwrites ``p``."""
    (classes, width), cells = p.shape, len(edges)
    squares = p.square().sum(dtype=torch.float64)
    # Only what reaches the first edge is sorted into cells (few values); the rest follows by subtraction.
    flat = p.view(-1)
    reaches = flat >= edges[1]
    above = reaches.nonzero()[:, 0]
    values = flat[above]
    key = above.div_(width, rounding_mode="floor").mul_(cells).add_(cell_of(values, edges))
    counts = key.bincount(minlength=classes * cells).view(classes, cells)
    probability = key.bincount(values.double(), minlength=classes * cells).view(classes, cells)
    flat.masked_fill_(reaches, 0)
    probability[:, 0] = p.sum(1, dtype=torch.float64)
    return Negatives(counts, probability, squares)


def cell_of(probability: Tensor, edges: Tensor) -> Tensor:
    """Return the cell of each probability, int64; one above 1 by rounding falls into the last cell."""
    return torch.bucketize(probability, edges, right=True).sub_(1)
