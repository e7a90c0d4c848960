"""Reads a trained student from a Lightning checkpoint, without unpickling anything."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from distill.checkpoints.checkpoint_file import load_checkpoint
from distill.config import Config, NetworkConfig, parse_config
from distill.models.build import build
from distill.models.deployed import DeployedModel
from distill.models.logit_calibration import NONE, LogitCalibration
from distill.models.network import SegmentationNetwork
from distill.models.state_dict import tensors_of
from distill.models.weights import Pretrained, load_tensors, misfit
from kd_seg_ros.common.classes import NUM_CLASSES
from kd_seg_ros.common.errors import UserError

_logger = logging.getLogger(__name__)

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
    config, state = _read(path)
    # The checkpoint replaces any pretrained weights: they need not be at hand.
    num_classes = len(config.data.class_names)
    network = build_network(
        config.student.model_copy(update={"pretrained": False, "checkpoint": None}), num_classes
    )
    network.refuse_other_classes(state, num_classes, str(path))
    fault, found = misfit(network, state, f"the student, from {path},")
    if fault:
        raise UserError(f"{path} does not fit its own configuration: its weights are {fault}")
    network.load_state_dict(found, strict=False)
    return network.eval(), config


def start_from(network: SegmentationNetwork, path: Path, class_names: Sequence[str]) -> None:
    """Load the weights of a trained student into a network that is about to be trained; log what was loaded.

    Where the checkpoint has other classes, or the same in another order, the heads keep their random weights.

    :param class_names: the classes that the network is to learn.
    :raises UserError: if the file is no whole checkpoint of this project, or one of another network.
    """
    config, state = _read(path)
    trained = config.data.class_names
    what = "all weights"
    if tuple(trained) != tuple(class_names):
        # The classifier's tensors stay as they are; so do those of the heads of training, which end alike.
        heads = tuple(f"{name}." for name in (network.classifier_name, *network.training_only))
        own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(heads)}
        state = {name: tensor for name, tensor in state.items() if not name.startswith(heads)} | own
        what = f"all weights but the heads', because it knows other classes ({', '.join(trained)})"
    load_tensors(network, state, f"the student, from {path},")
    _logger.info("starts from %s: %s", path, what)


def _read(path: Path) -> tuple[Config, dict[str, Tensor]]:
    """Return the experiment that a checkpoint comes from, and its student's tensors by their own names.

    :raises UserError: if the file is missing, damaged or no checkpoint of this project.
    """
    checkpoint = load_checkpoint(path)
    try:
        values, tensors = checkpoint["hyper_parameters"]["config"], checkpoint["state_dict"]
    except (KeyError, TypeError, IndexError) as error:
        raise UserError(
            f"{path} is no checkpoint of `kd_seg fit`, which holds the experiment with the weights"
        ) from error
    config = parse_config(values, str(path))
    state = {}
    for name, tensor in tensors_of(tensors, str(path)).items():
        if name.startswith(STUDENT_PREFIX):
            state[name.removeprefix(STUDENT_PREFIX)] = tensor
    if not state:
        raise UserError(
            f"{path} holds no weights of a student: none of its tensors begins with {STUDENT_PREFIX!r}"
        )
    return config, state


def deployed(network: nn.Module, config: Config, calibration: LogitCalibration = NONE) -> DeployedModel:
    """Wrap a network with the pre- and post-processing of its experiment."""
    data = config.data
    return DeployedModel(network, data.mean, data.std, data.working_scale, calibration).eval()
