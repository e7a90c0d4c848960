"""Distillation with a memory bank: match how each pixel relates to what the teacher saw in other images.

Thesis ch. 2.4, after Yang et al., "Cross-image relational knowledge distillation for semantic segmentation"
(CIRKD), CVPR 2022; the terms between a batch and the memory (:mod:`distill.losses.embedding_memory`). With
v_1 … v_n vectors of the memory, of length 1 and of all classes, a position's features f, brought to length 1,
become a distribution::

    r(f) = softmax_k(f·v_k / T),     1/V · Σ_p [KL(r^teacher_p ‖ r^student_p) over pixels' vectors
                                                + the same over regions' vectors]

over the V labelled positions p of the batch; student and teacher are compared with the same vectors, the
teacher's. T = 0.1 is the authors', who weigh both terms alike.

The labels tell which positions count; that of a position is the one at its centre, as in
:mod:`distill.losses.intra_class`, so they must cover what the map covers. On maps of more than 32 positions
on the longer side every k-th position counts, k the least that leaves at most 32, from k/2 on; the authors
take all. One image's similarities, at most 1024·n numbers, are held at a time and made again in the backward
pass.

Shapes: [B, C, H, W] both, the same; labels [B, h, w] integer of any size, 0…num_classes−1 or 255 (ignored);
other shapes raise ValueError. Values lie in [0, 8/T]; the scale of either map changes nothing; 0 with
gradient 0 where all is ignored. A vector shorter than EPS = 1e-6 is divided by EPS instead of its norm. The
teacher gets no gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from distill.losses._common import check_same_shape, classes_at, in_full_precision, quotient
from distill.losses.cross_image import LONGEST_SIDE
from distill.losses.embedding_memory import EmbeddingMemory
from distill.losses.lad import EPS
from kd_seg_ros.common.classes import IGNORE_ID, NUM_CLASSES


@in_full_precision
def memory_bank_loss(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    num_classes: int = NUM_CLASSES,
    temperature: float = 0.1,
    memory: EmbeddingMemory | None = None,
) -> Tensor:
    """1/V · Σ KL(r^T ‖ r^S) over the V labelled positions, to pixels' and to regions' vectors.

    :param memory: what to compare with; None: what the batch itself leaves in an empty memory. It is not
        changed.
    """
    check_same_shape(student, teacher)
    teacher = teacher.detach()
    if memory is None:
        memory = EmbeddingMemory(num_classes, teacher.shape[1])
        memory.remember(teacher, labels)
    labelled = classes_at(labels, student).unflatten(1, student.shape[2:]) != IGNORE_ID
    labelled = _every_kth(labelled[:, None]).squeeze(-1)
    s = F.normalize(_every_kth(student), dim=2, eps=EPS)
    t = F.normalize(_every_kth(teacher), dim=2, eps=EPS)
    divergences = []
    for vectors, there in memory.contrasts():
        compared = (vectors.to(s), there.to(s.device), temperature)
        for s_b, t_b, labelled_b in zip(s, t, labelled, strict=True):
            arguments = (s_b, t_b, labelled_b, *compared)
            divergences.append(
                checkpoint(_divergence, *arguments, use_reentrant=False, preserve_rng_state=False)
            )
    return quotient(torch.stack(divergences).sum(), labelled.sum())


def _every_kth(values: Tensor) -> Tensor:
    """Return the positions of a map [B, C, H, W] that count, [B, N, C]."""
    k = -(-max(values.shape[2:]) // LONGEST_SIDE)
    top = min(k // 2, values.shape[2] - 1)
    left = min(k // 2, values.shape[3] - 1)
    return values[:, :, top::k, left::k].flatten(2).transpose(1, 2)


def _divergence(
    s: Tensor, t: Tensor, labelled: Tensor, vectors: Tensor, there: Tensor, temperature: float
) -> Tensor:
    """Return Σ_p KL of one image's labelled positions' relations to the vectors.

    :param s: the student's positions [N, C], of length 1; ``t``: the teacher's.
    :param labelled: bool [N].
    :param vectors: [n, C], of length 1.
    :param there: bool [n], which of these there are.
    """
    # A vector that is not there gets a similarity so low that its probability is 0.
    lowest = -1 / temperature - 1000
    log_student = F.log_softmax((s @ vectors.T / temperature).where(there, lowest), dim=1)
    log_teacher = F.log_softmax((t @ vectors.T / temperature).where(there, lowest), dim=1)
    divergence = F.kl_div(log_student, log_teacher, reduction="none", log_target=True).sum(dim=1)
    return (labelled * divergence).sum()
