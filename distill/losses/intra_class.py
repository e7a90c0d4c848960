"""Intra-class feature variation: match how far each pixel strays from the centre of its class.

Thesis ch. 2.4, after Wang et al., "Intra-class feature variation distillation for semantic segmentation"
(IFVD), ECCV 2020. In each image, a class has its pixels' mean feature as centroid; with μ_y the centroid of
the pixel's class, over the V labelled pixels of the batch::

    v_i = cos(F_i, μ_y(i)),     1/V · Σ (v^student_i − v^teacher_i)²

The label of a position of the map is the one at its centre (nearest neighbour). So the labels must cover
what the map covers: where an image was padded, pad its labels with 255. In the authors' code ignored pixels
add nothing to the sum, as here, but count in V.

Shapes: [B, C, H, W] both; C may differ; labels [B, h, w] integer of any size, 0…num_classes−1 or 255
(ignored); other shapes raise ValueError. Values lie in [0, 4]; 0 with gradient 0 where all is ignored. The
scale of either map and the order of channels change nothing. A vector shorter than EPS = 1e-6 is divided by
EPS instead of its norm. The teacher gets no gradient.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import check_same_size, classes_at, in_full_precision, members_of, quotient
from distill.losses.lad import EPS
from kd_seg_ros.common.classes import IGNORE_ID, NUM_CLASSES


@in_full_precision
def intra_class_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, num_classes: int = NUM_CLASSES
) -> Tensor:
    """1/V · Σ (cos(F^S_i, μ^S_y) − cos(F^T_i, μ^T_y))² over the V labelled pixels."""
    check_same_size(student, teacher)
    classes = classes_at(labels, student)
    labelled = classes != IGNORE_ID
    members = members_of(classes, num_classes, student.dtype)
    difference = _variation(student, members) - _variation(teacher.detach(), members.to(teacher.dtype))
    return quotient((labelled * difference.square()).sum(), labelled.sum())


def _variation(features: Tensor, members: Tensor) -> Tensor:
    """Return the cosine of each pixel's features to the centroid of its class; 0 where ignored.

    :param members: 0/1 [B, H·W, K], the pixel's class; all 0 where ignored.
    :returns: [B, H·W].
    """
    pixels = features.flatten(2).transpose(1, 2)
    counts = members.sum(dim=1).clamp(min=1)
    centroids = members.transpose(1, 2) @ pixels / counts[:, :, None]
    cosines = F.normalize(pixels, dim=2, eps=EPS) @ F.normalize(centroids, dim=2, eps=EPS).transpose(1, 2)
    return (members * cosines).sum(dim=2)
