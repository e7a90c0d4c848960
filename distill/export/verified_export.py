"""Writing a model file only if it does what it was made from."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from distill.export.agreement import Agreement, measure_agreement
from distill.export.check_images import Pair
from distill.export.model_card import save_with_card
from distill.models.deployed import DeployedModel
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.engine import Engine

_logger = logging.getLogger(__name__)


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
    """Make the folder of a file to be written.

    :raises UserError: if no model file can be written to the path.
    """
    if path.is_dir() or path.suffix != ".onnx":
        raise UserError(f"--out {path} must be a file that ends in .onnx")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"folder {path.parent} cannot be made: {error.strerror}") from error


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
    # Written under another name until it has passed: a refused file is never left there.
    temporary = out.with_suffix(".partial.onnx")
    try:
        save_with_card(proto, card, temporary)
        agreement = measure_agreement(model, Engine(temporary, provider), images)
        _logger.info("%s", agreement.describe(reference))
        failures = agreement.failures()
        if failures:
            raise UserError(f"{out} was not written, it does not follow the network: {'; '.join(failures)}")
        card = replace(card, agreement=agreement.as_dict())
        save_with_card(proto, card, temporary)
        temporary.replace(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return VerifiedFile(out, card, agreement)
