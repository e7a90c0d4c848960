"""Tells the two kinds of model files apart: checkpoints of training, and ONNX files of export."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from kd_seg_ros.common.errors import UserError

Kind = Literal["checkpoint", "onnx"]

NAMES: Final[dict[Kind, str]] = {
    "checkpoint": "a checkpoint, as `kd_seg fit` writes it",
    "onnx": "an ONNX file, as `kd_seg export` writes it",
}
_CHECKPOINT_SUFFIXES: Final = (".ckpt", ".pt", ".pth")
_ZIP: Final = b"PK\x03\x04"
"""First bytes of a checkpoint: PyTorch writes a zip file. ONNX, a protocol buffer, has no such mark."""


def kind_of(path: Path) -> Kind:
    """Return which kind of model file this is, by its content, and by its suffix where that is not enough.

    :raises UserError: if the file is missing.
    """
    if not path.is_file():
        raise UserError(f"--model {path}: no such model file")
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    if zipped or path.suffix.lower() in _CHECKPOINT_SUFFIXES:
        return "checkpoint"
    return "onnx"


def require_kind(path: Path, kind: Kind) -> None:
    """Refuse a model file of the other kind, or one that is missing; raises UserError."""
    found = kind_of(path)
    if found != kind:
        raise UserError(f"--model {path}: is {NAMES[found]}; needed here is {NAMES[kind]}")
