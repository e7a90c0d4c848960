"""The terms of the objective: functions of tensors that return a scalar, in FP32 even under autocast."""

from distill.losses.border_focal import border_focal_loss, border_focal_loss_published
from distill.losses.boundary import boundary_loss
from distill.losses.cwd import cwd_loss
from distill.losses.kl import kl_loss
from distill.losses.kl_border import kl_border_loss
from distill.losses.l2 import l2_loss
from distill.losses.lad import lad_loss
from distill.losses.ohem import ohem_loss
from distill.losses.pidnet import pidnet_loss

__all__ = [
    "border_focal_loss",
    "border_focal_loss_published",
    "boundary_loss",
    "cwd_loss",
    "kl_border_loss",
    "kl_loss",
    "l2_loss",
    "lad_loss",
    "ohem_loss",
    "pidnet_loss",
]
