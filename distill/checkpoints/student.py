"""Reads a trained student from a Lightning checkpoint, without unpickling anything."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from distill.checkpoints.checkpoint_file import load_checkpoint
from distill.config import Config, NetworkConfig, parse_config
from distill.models.build import build
from distill.models.deployed import DeployedModel
from distill.models.logit_calibration import NONE, LogitCalibration
from distill.models.network import SegmentationNetwork
from distill.models.weights import Pretrained
from kd_seg_ros.common.classes import NUM_CLASSES
from kd_seg_ros.common.errors import UserError

STUDENT_PREFIX = "student."
"""Prefix of the student's tensors in a checkpoint."""


def build_network(config: NetworkConfig, num_classes: int = NUM_CLASSES) -> SegmentationNetwork:
    """Make the network that a configuration describes, with its initial weights."""
    return build(
        config.model,
        num_classes,
        backbone=config.backbone,
        channels=config.channels,
        pretrained=Pretrained(config.pretrained, config.strict),
    )


def load_student(path: Path) -> tuple[SegmentationNetwork, Config]:
    """Return the trained network in evaluation mode and the experiment it comes from.

    :raises UserError: if the file is missing, damaged, no checkpoint of this project or does not fit itself.
    """
    checkpoint = load_checkpoint(path)
    try:
        values, tensors = checkpoint["hyper_parameters"]["config"], checkpoint["state_dict"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is no checkpoint of `kd_seg fit`") from error
    config = parse_config(values, str(path))
    # The checkpoint replaces any pretrained weights: they need not be at hand.
    num_classes = len(config.data.class_names)
    network = build_network(config.student.model_copy(update={"pretrained": False}), num_classes)
    state = {k.removeprefix(STUDENT_PREFIX): v for k, v in tensors.items() if k.startswith(STUDENT_PREFIX)}
    network.refuse_other_classes(state, num_classes, str(path))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"{path} does not fit its own configuration: {' '.join(str(error).split())}"
        ) from error
    return network.eval(), config


def deployed(network: nn.Module, config: Config, calibration: LogitCalibration = NONE) -> DeployedModel:
    """Wrap a network with the pre- and post-processing of its experiment."""
    data = config.data
    return DeployedModel(network, data.mean, data.std, data.working_scale, calibration).eval()
