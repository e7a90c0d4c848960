"""Tells the two kinds of model files apart: checkpoints of training, and ONNX files of export."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason

Kind = Literal["checkpoint", "onnx"]

NAMES: Final[dict[Kind, str]] = {
    "checkpoint": "a checkpoint, as `kd_seg fit` writes it",
    "onnx": "an ONNX file, as `kd_seg export` writes it",
}
_CHECKPOINT_SUFFIXES: Final = (".ckpt", ".pt", ".pth")
_ZIP: Final = b"PK\x03\x04"
"""First bytes of a checkpoint: PyTorch writes a zip file."""
_IR_VERSION: Final = b"\x08"
"""First byte of an ONNX file: the protocol buffer's field 1, the version of the format."""


def kind_of(path: Path) -> Kind:
    """Return which kind of model file this is, by its content, and by its suffix where that is not enough.

    :raises UserError: if the file is missing, cannot be read or is of neither kind.
    """
    if not path.is_file():
        raise UserError(f"--model {path}: no such model file")
    try:
        with path.open("rb") as file:
            start = file.read(len(_ZIP))
    except OSError as error:
        raise UserError(f"--model {path} cannot be read: {reason(error)}") from error
    if start == _ZIP or path.suffix.lower() in _CHECKPOINT_SUFFIXES:
        return "checkpoint"
    if start.startswith(_IR_VERSION) or path.suffix.lower() == ".onnx":
        return "onnx"
    raise UserError(f"--model {path}: is neither {NAMES['checkpoint']}, nor {NAMES['onnx']}")


def require_kind(path: Path, kind: Kind) -> None:
    """Refuse a model file of the other kind, or one that is missing; raises UserError."""
    found = kind_of(path)
    if found != kind:
        raise UserError(f"--model {path}: is {NAMES[found]}; needed here is {NAMES[kind]}")
