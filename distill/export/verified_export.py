"""Writing a model file only if it does what it was made from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from distill.common import files
from distill.evaluation.predictors import torch_segmenter
from distill.export.agreement import HALF_LIMITS, Agreement, Limits, measure_agreement, measure_altered
from distill.export.check_images import Pair, altered_images
from distill.export.model_card import save_with_card
from distill.models.deployed import DeployedModel
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import TEMPORARY, atomic_file, reason
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.engine import Engine, EngineError

Opened = TypeVar("Opened")

_logger = logging.getLogger(__name__)

ANOTHER_SIZE_AGREEMENT: Final = 0.95
"""Least share of pixels that must have the network's class at another size: far below what rounding does to
one image, far above what a network does that takes the size for another one."""


@dataclass(frozen=True)
class VerifiedFile:
    """A model file that was written because it agrees with its network."""

    path: Path
    card: ModelCard
    """The card in the file, with the agreement."""
    agreement: Agreement
    """How closely the file follows the network."""

    def describe(self) -> str:
        """Return one line for the terminal: the path, the size of the file and that of the network."""
        size = self.path.stat().st_size / 1e6
        return f"written to {self.path} ({size:.2f} MB, {self.card.parameters / 1e6:.3f} M parameters)"


def check_destination(path: Path) -> None:
    """Make the folder of a file to be written, and make sure that it can be written to.

    :raises UserError: if no model file can be written to the path.
    """
    if path.is_dir() or path.suffix != ".onnx":
        raise UserError(f"--out {path} must be a file that ends in .onnx")
    files.check_destination(path)


def write_verified(
    proto: onnx.ModelProto,
    card: ModelCard,
    out: Path,
    model: DeployedModel,
    images: list[Pair],
    provider: str,
    reference: str = "PyTorch in FP32",
) -> VerifiedFile:
    """Write a model file and compare it with its network; keep it only if they agree.

    :param card: the file's model card; the agreement is added to it.
    :param model: what the file must do.
    :param images: the images to compare on.
    :param provider: what the file is run on, a key of :data:`kd_seg_ros.inference.providers.PROVIDERS`.
    :param reference: what ``model`` is, in words.
    :raises UserError: if they disagree or the file cannot be written; then there is no file.
    """
    agreement = check(proto, card, out, model, images, provider)
    _logger.info("%s", agreement.describe(reference))
    return write_checked(proto, card, out, agreement)


def check(
    proto: onnx.ModelProto,
    card: ModelCard,
    out: Path,
    model: DeployedModel,
    images: list[Pair],
    provider: str,
) -> Agreement:
    """Compare a model with its network, on the images and on altered ones; see :func:`write_verified`."""
    engine = opened_unchecked(proto, card, out, partial(Engine, provider=provider))
    if engine.dynamic:
        _check_another_size(engine, out, model, images[0][0])
    agreement = measure_agreement(model, engine, images)
    return replace(agreement, altered=measure_altered(model, engine, altered_images(images)))


def _check_another_size(engine: Engine, out: Path, model: DeployedModel, image: NDArray[np.uint8]) -> None:
    """Compare a file for images of any size with its network at a size that neither was made for.

    A network that computes with the numbers of the size it was traced at would fail on the vehicle only.

    :param image: RGB, uint8 [H, W, 3].
    :raises UserError: if the file fails there, or its classes are others.
    """
    height, width = max(16, engine.size[0] * 3 // 4), max(16, engine.size[1] * 5 // 8)
    resized = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    remedy = "export it for the camera's size, without --dynamic"
    try:
        mask = engine.segment(resized).mask
    except EngineError as error:
        raise UserError(
            f"{out} was not written: for images of {width}×{height} it fails, since the network computes "
            f"with numbers of the size it was traced at ({first_line(error)}): {remedy}"
        ) from error
    agreement = float(np.mean(mask == torch_segmenter(model)(resized)[0]))
    if agreement < ANOTHER_SIZE_AGREEMENT:
        raise UserError(
            f"{out} was not written: for images of {width}×{height} only {agreement:.1%} of the classes are "
            f"those of the network: {remedy}"
        )


def write_checked(
    proto: onnx.ModelProto,
    card: ModelCard,
    out: Path,
    agreement: Agreement,
    limits: Limits = HALF_LIMITS,
    remedy: str = "",
) -> VerifiedFile:
    """Write a model file that agrees with its network.

    :param agreement: what :func:`check` has found; it is added to the card.
    :param limits: how far it may be from its network.
    :param remedy: what the message adds if it is farther.
    :raises UserError: if it does not agree, or the file cannot be written; then there is no file.
    """
    failures = agreement.failures(limits)
    if failures:
        raise UserError(
            f"{out} was not written, it does not follow the network: {'; '.join(failures)}{remedy}"
        )
    card = replace(card, agreement=agreement.as_dict())
    try:
        with atomic_file(out) as temporary:
            save_with_card(proto, card, temporary)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {reason(error)}") from error
    return VerifiedFile(out, card, agreement)


def opened_unchecked(
    proto: onnx.ModelProto, card: ModelCard, out: Path, open_file: Callable[[Path], Opened]
) -> Opened:
    """Open a model that has not passed yet.

    It lies in the folder of ``out`` only while it is being opened, so that an export killed during the check,
    which takes long, leaves no model that nobody has checked; one killed before leaves ``NAME.onnx.tmp``,
    which the next export of that name removes.

    :param open_file: opens the file at a path.
    :raises UserError: if it cannot be written or opened.
    """
    temporary = out.with_name(out.name + TEMPORARY)
    try:
        save_with_card(proto, card, temporary)
        return open_file(temporary)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {reason(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)
