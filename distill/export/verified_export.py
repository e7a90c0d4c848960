"""Writing a model file only if it does what it was made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx

from distill.export.agreement import Pair, measure_agreement
from distill.export.trace import save
from distill.models.deployed import DeployedModel
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.engine import Engine


def check_destination(path: Path) -> None:
    """Refuse a path that no model file can be written to; raises UserError."""
    if path.is_dir() or path.suffix != ".onnx":
        raise UserError(f"--out {path} must be a file that ends in .onnx")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"folder {path.parent} cannot be made: {error.strerror}") from error


def write_checked(
    proto: onnx.ModelProto,
    card: ModelCard,
    out: Path,
    model: DeployedModel,
    images: list[Pair],
    provider: str,
    reference: str = "PyTorch in FP32",
) -> None:
    """Write a model file, with its agreement in its card.

    :param card: without agreement.
    :param model: what the file is to do.
    :param images: to compare on.
    :param reference: what ``model`` is, in words.
    :raises UserError: if they disagree, or the file cannot be written; then there is none.
    """
    # Written under another name until it has passed: a refused file is never left behind.
    temporary = out.with_suffix(".partial.onnx")
    try:
        save(proto, card, temporary)
        agreement = measure_agreement(model, Engine(temporary, provider), images)
        print(agreement.describe(reference))
        if failures := agreement.failures():
            raise UserError(f"{out} was not written, it does not follow the network: {'; '.join(failures)}")
        save(proto, replace(card, agreement=agreement.as_dict()), temporary)
        temporary.replace(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    size = f"{out.stat().st_size / 1e6:.2f} MB, {card.parameters / 1e6:.3f} M parameters"
    print(f"written to {out} ({size})")
