"""From a checkpoint of training to the verified model file of the vehicle."""

from __future__ import annotations

import logging
from pathlib import Path

from distill.checkpoints.stored_calibration import calibration_of, read_calibration_document
from distill.checkpoints.student import deployed, load_student
from distill.data.from_config import relocated
from distill.export.check_images import labelled_images, plain_images
from distill.export.model_card import trained_card
from distill.export.trace import to_dynamic_onnx, to_onnx
from distill.export.verified_export import VerifiedFile, check_destination, write_verified
from distill.models.logit_calibration import NONE

_logger = logging.getLogger(__name__)


def export_checkpoint(
    checkpoint: Path,
    out: Path,
    size: tuple[int, int],
    *,
    dynamic: bool = False,
    root: Path | None = None,
    images: Path | None = None,
    limit: int = 20,
    provider: str = "cpu",
) -> VerifiedFile:
    """Export a checkpoint with its stored calibration, check the file, and keep it only if it agrees.

    :param checkpoint: a .ckpt of training.
    :param out: the .onnx file to write.
    :param size: (H, W) of the camera's image.
    :param dynamic: make a file for images of any size; it is checked at ``size``.
    :param root: folder of the data set whose val split the file is checked on; None: where the training's
        data are.
    :param images: a folder of images without labels to check on instead.
    :param limit: number of images to check on.
    :param provider: what the file is run on for the check.
    :raises UserError: if something cannot be read or written, or the file does not follow the network.
    """
    check_destination(out)
    network, config = load_student(checkpoint)
    document = read_calibration_document(checkpoint)
    if document is None:
        _logger.warning("not calibrated; run `kd_seg calibrate` first, so that the confidence can be trusted")
    if images is not None:
        pairs = plain_images(images, limit)
    else:
        pairs = labelled_images(relocated(config.data, root), limit)

    model = deployed(network, config, calibration_of(document) if document else NONE)
    card = trained_card(config, document, size, network.deployed_parameters(), network.padding_multiple)
    proto = to_dynamic_onnx(model) if dynamic else to_onnx(model, size)
    return write_verified(proto, card, out, model, pairs, provider)
