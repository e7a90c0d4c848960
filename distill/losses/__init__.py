"""The terms of the objective: functions of tensors that return a scalar, in FP32 even under autocast.

Beside them stand what changes the inputs of a term: temperature, whitening, projectors.
"""

from distill.losses.adversarial import discriminator_loss, generator_loss
from distill.losses.attention_transfer import attention_transfer_loss
from distill.losses.border_focal import border_focal_loss, border_focal_loss_published
from distill.losses.boundary import boundary_loss
from distill.losses.cad import cad_loss
from distill.losses.cross_image import cross_image_relational_loss
from distill.losses.curriculum_temperature import CurriculumTemperature
from distill.losses.cwd import cwd_loss
from distill.losses.intra_class import intra_class_variation_loss
from distill.losses.kl import kl_loss
from distill.losses.kl_border import kl_border_loss
from distill.losses.l2 import l2_loss
from distill.losses.lad import lad_loss
from distill.losses.local_similarity import local_similarity_loss
from distill.losses.ohem import ohem_loss
from distill.losses.pad import pad_loss
from distill.losses.pidnet import pidnet_loss
from distill.losses.projector import Projector
from distill.losses.self_similarity import self_similarity_loss
from distill.losses.whitening import whiten

__all__ = [
    "CurriculumTemperature",
    "Projector",
    "attention_transfer_loss",
    "border_focal_loss",
    "border_focal_loss_published",
    "boundary_loss",
    "cad_loss",
    "cross_image_relational_loss",
    "cwd_loss",
    "discriminator_loss",
    "generator_loss",
    "intra_class_variation_loss",
    "kl_border_loss",
    "kl_loss",
    "l2_loss",
    "lad_loss",
    "local_similarity_loss",
    "ohem_loss",
    "pad_loss",
    "pidnet_loss",
    "self_similarity_loss",
    "whiten",
]
