"""From a checkpoint of training to the verified model file of the vehicle."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from distill.checkpoints.stored_calibration import calibration_of, read_calibration_document
from distill.checkpoints.student import deployed, load_student
from distill.checkpoints.trained_images import training_images_of
from distill.config import DataConfig
from distill.data.data_check import read_data_check
from distill.data.from_config import relocated
from distill.export.agreement import HALF_LIMITS, Agreement, brought_to
from distill.export.batch_check import check_batch
from distill.export.check_images import Pair, altered_images, common_size, labelled_images, plain_images
from distill.export.half_precision import layers_in_single
from distill.export.model_card import trained_card
from distill.export.time_limit import TRACING_SECONDS
from distill.export.trace import to_dynamic_onnx, to_onnx
from distill.export.verified_export import VerifiedFile, check, check_destination, write_checked
from distill.models.deployed import DeployedModel
from distill.models.logit_calibration import NONE
from kd_seg_ros.inference.card import ModelCard


@dataclass(frozen=True)
class ExportSource:
    """What a file is made from and checked on."""

    model: DeployedModel
    """What the file must do."""
    card: ModelCard
    """The file's model card, still without the agreement."""
    size: tuple[int, int]
    """(H, W) of the camera's image."""
    pairs: list[Pair]
    """Images to compare file and network on."""
    data: DataConfig | None
    """The data set of training; None if it is not known."""


SEARCH_IMAGES = 4
"""On so many images layers are looked for that half precision cannot hold, where it fails on the images."""

_logger = logging.getLogger(__name__)


def export_checkpoint(
    checkpoint: Path,
    out: Path,
    size: tuple[int, int] | None = None,
    *,
    dynamic: bool = False,
    batch: bool = False,
    root: Path | None = None,
    images: Path | None = None,
    limit: int = 20,
    provider: str = "cpu",
    trace_limit: float = TRACING_SECONDS,
) -> VerifiedFile:
    """Export a checkpoint with its stored calibration, check the file, and keep it only if it agrees.

    :param checkpoint: a .ckpt of training.
    :param out: the .onnx file to write.
    :param size: (H, W) of the camera's image; None: that of most of the images it is checked on.
    :param dynamic: make a file for images of any size; it is checked at ``size``.
    :param batch: the network in the file takes any number of images per run; that is checked, too.
    :param root: folder of the data set whose val split the file is checked on; None: where the training's
        data are.
    :param images: a folder of images without labels to check on instead.
    :param limit: number of images to check on.
    :param provider: what the file is run on for the check.
    :param trace_limit: seconds of processor time that tracing for images of any size may take.
    :raises UserError: if something cannot be read or written, or the file does not follow the network.
    """
    check_destination(out)
    source = open_source(checkpoint, size, root, images, limit)
    model, card, size, pairs = source.model, source.card, source.size, source.pairs
    if dynamic:
        trace = partial(to_dynamic_onnx, model, limit=trace_limit, batch=batch)
    else:
        trace = partial(to_onnx, model, size, batch=batch)
    _logger.info("tracing the network, which takes seconds to minutes")
    proto = trace()
    agreement = check(proto, card, out, model, pairs, provider)
    single = _in_single_precision(model, size, pairs, agreement)
    if single:
        _logger.info("%d layers stay in single precision: %s", len(single), ", ".join(single))
        card = replace(card, single_precision=single)
        proto = trace(single=single)
        agreement = check(proto, card, out, model, pairs, provider)
    _logger.info("%s", agreement.describe())
    if batch:
        check_batch(proto, card, out, pairs, provider)
    return write_checked(proto, card, out, agreement)


def open_source(
    checkpoint: Path,
    size: tuple[int, int] | None,
    root: Path | None,
    images: Path | None,
    limit: int,
) -> ExportSource:
    """Read a checkpoint with its calibration, and the images that its file is checked on.

    Arguments and errors are those of :func:`export_checkpoint`.
    """
    network, config = load_student(checkpoint)
    document = read_calibration_document(checkpoint)
    if document is None:
        _logger.warning("not calibrated; run `kd_seg calibrate` first, so that the confidence can be trusted")
    data = relocated(config.data, root)
    pairs = labelled_images(data, limit) if images is None else plain_images(images, limit)
    if size is None:
        size = common_size(pairs)
        _logger.info("made for images of %d×%d, the size of those it is checked on (--size)", *size)
    model = deployed(network, config, calibration_of(document) if document else NONE)
    card = trained_card(
        config,
        document,
        size,
        network.deployed_parameters(),
        network.padding_multiple,
        read_data_check(checkpoint, config.data),
        training_images_of(checkpoint),
    )
    return ExportSource(model, card, size, pairs, data)


def _in_single_precision(
    model: DeployedModel, size: tuple[int, int], pairs: list[Pair], agreement: Agreement
) -> tuple[str, ...]:
    """Return the layers that must stay in single precision; none if the file agrees without that.

    They are looked for on the altered images whose classes agree too little, and on some of the images
    themselves if the file fails on those.
    """
    altered = altered_images(pairs)
    images = [altered[kind] for kind in agreement.weak()]
    if replace(agreement, altered={}).failures():
        images += [image for image, _ in pairs[:SEARCH_IMAGES]]
    if not images:
        return ()
    tensors = [torch.from_numpy(brought_to(image, size)) for image in images]
    return layers_in_single(model, tensors, HALF_LIMITS.argmax)
