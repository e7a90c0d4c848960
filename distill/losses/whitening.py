"""Whitened teacher features: every pixel's feature vector brought to mean 0 and variance 1.

Thesis ch. 2.4, after Wei et al., "Contrastive learning rivals masked image modeling in fine-tuning via
feature distillation", arXiv 2205.14141, 2022: layer normalisation without scale and shift, so that the loss
does not depend on the magnitude of the teacher's features. With m and v the mean and (biased) variance over
the C channels of a pixel::

    (F − m) / √(v + 1e-5)

Despite the name the channels are not decorrelated. The authors compare a projected student's features, not
whitened, with this.

Shapes: [B, C, H, W] → the same in FP32 (FP64 stays); others raise ValueError. A pixel of equal channels
becomes zeros. No gradient flows back.
"""

import torch.nn.functional as F
from torch import Tensor

from distill.losses._common import in_full_precision


@in_full_precision
def whiten(teacher: Tensor) -> Tensor:
    """Normalise a teacher's features over the channels, pixel by pixel."""
    if teacher.dim() != 4:
        raise ValueError(f"features {tuple(teacher.shape)} must be [B, C, H, W]")
    pixels = teacher.detach().movedim(1, 3)
    return F.layer_norm(pixels, pixels.shape[3:]).movedim(3, 1)
