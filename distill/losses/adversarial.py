"""Holistic distillation: a discriminator must not be able to tell student from teacher segmentations.

Thesis ch. 2.4, after Liu et al., "Structured knowledge distillation for semantic segmentation", CVPR 2019,
and Wang et al., "Intra-class feature variation distillation for semantic segmentation", ECCV 2020; in its
hinge form. With D the discriminator's score of class probabilities p given the image x, and
(a)₊ = max(0, a)::

    student:         −mean D(p^student, x)
    discriminator:   mean (1 − D(p^teacher, x))₊ + mean (1 + D(p^student, x))₊

The two are minimised in turn, by two optimisers. The student's loss gives the discriminator no gradient,
the discriminator's gives none to student and teacher. Scores are unbounded, and so is the student's loss;
the discriminator's lies in [0, ∞) and is 2 for a score of 0 everywhere.

Shapes: probabilities [B, K, h, w], of student and teacher alike or ValueError is raised; image [B, 3, H, W]
as the network sees it; see :class:`distill.models.discriminator.Discriminator`.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from distill.losses._common import check_same_shape, in_full_precision


@in_full_precision
def generator_loss(discriminator: nn.Module, student_probabilities: Tensor, image: Tensor) -> Tensor:
    """−mean D(p^S, x), for the student to minimise."""
    frozen = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    score: Tensor = functional_call(discriminator, frozen, (student_probabilities, image))
    return -score.mean()


@in_full_precision
def discriminator_loss(
    discriminator: nn.Module, student_probabilities: Tensor, teacher_probabilities: Tensor, image: Tensor
) -> Tensor:
    """Mean (1 − D(p^T, x))₊ + mean (1 + D(p^S, x))₊, for the discriminator to minimise."""
    check_same_shape(student_probabilities, teacher_probabilities)
    real = discriminator(teacher_probabilities.detach(), image)
    fake = discriminator(student_probabilities.detach(), image)
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
