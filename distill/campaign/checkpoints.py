"""Checkpoints of a student, damaged or odd, loaded as evaluate, calibrate and export load them."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from distill.checkpoints.checkpoint_file import save_checkpoint
from distill.checkpoints.student import STUDENT_PREFIX, build_network, load_student
from distill.config import parse_config
from kd_seg_ros.campaign.outcome import Expected, Outcome, Verdict, judged

_CONFIG: Final[dict[str, Any]] = {
    "name": "small",
    "data": {"root": "data", "crop": [64, 64]},
    "student": {"backbone": "resnet10t", "channels": 8, "pretrained": False},
}

Made = tuple[bytes, Expected]
_Maker = Callable[[np.random.Generator], Made]


def names() -> Sequence[str]:
    """Return the names of the cases."""
    return list(CASES)


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Write the file and load it; a file that is taken must hold the weights that were saved."""
    content, expected = CASES[name](np.random.default_rng(seed))
    path = folder / "best.ckpt"
    path.write_bytes(content)
    verdict = judged(partial(load_student, path), expected, _problem)
    if (folder / "executed").exists():
        return Verdict(Outcome.WRONG, "code in the file was run")
    return verdict


def _problem(found: Any) -> str:
    network, _ = found
    wanted = _document()["state_dict"]
    for name, value in network.state_dict().items():
        if not torch.equal(value, wanted[STUDENT_PREFIX + name]):
            return f"{name} is not what was saved"
    return ""


@cache
def _document() -> dict[str, Any]:
    """Return the content of an undamaged checkpoint."""
    config = parse_config(_CONFIG, "campaign")
    network = build_network(config.student, len(config.data.class_names))
    state = {f"{STUDENT_PREFIX}{name}": value for name, value in network.state_dict().items()}
    return {
        "epoch": 1,
        "global_step": 1,
        "hyper_parameters": {"config": config.model_dump(mode="json")},
        "state_dict": state,
    }


@cache
def _whole_bytes() -> bytes:
    return _saved(_document())


def _saved(document: Any) -> bytes:
    if isinstance(document, dict):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "best.ckpt"
            save_checkpoint(document, path)
            return path.read_bytes()
    buffer = io.BytesIO()
    torch.save(document, buffer)
    return buffer.getvalue()


def _whole(_: np.random.Generator) -> Made:
    return _whole_bytes(), Expected.SAME


def _bytes(damage: Callable[[bytearray, np.random.Generator], object], expected: Expected) -> _Maker:
    """Return what damages the bytes of a whole file."""

    def make(rng: np.random.Generator) -> Made:
        content = bytearray(_whole_bytes())
        damage(content, rng)
        return bytes(content), expected

    return make


def _flip(content: bytearray, rng: np.random.Generator) -> None:
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))


def _flip_at_the_end(content: bytearray, rng: np.random.Generator) -> None:
    """Flip a bit in the archive's directory."""
    content[len(content) - int(rng.integers(1, 4000))] ^= 1 << int(rng.integers(8))


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content))) :]


def _remove(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(content)))
    del content[place : place + int(rng.integers(1, 1000))]


def _document_with(change: Callable[[dict[str, Any], np.random.Generator], object], expected: Expected) -> _Maker:
    """Return what changes the content of a whole checkpoint."""

    def make(rng: np.random.Generator) -> Made:
        document = deepcopy(_document())
        change(document, rng)
        return _saved(document), expected

    return make


def _drop_key(document: dict[str, Any], rng: np.random.Generator) -> None:
    del document[str(rng.choice(["hyper_parameters", "state_dict"]))]


def _some_tensor(document: dict[str, Any], rng: np.random.Generator) -> str:
    return str(rng.choice(sorted(document["state_dict"])))


def _drop_tensor(document: dict[str, Any], rng: np.random.Generator) -> None:
    del document["state_dict"][_some_tensor(document, rng)]


def _add_tensor(document: dict[str, Any], _: np.random.Generator) -> None:
    document["state_dict"][f"{STUDENT_PREFIX}nowhere.weight"] = torch.zeros(3)


def _other_shape(document: dict[str, Any], rng: np.random.Generator) -> None:
    document["state_dict"][_some_tensor(document, rng)] = torch.zeros(7, 5, 3)


def _odd_tensor(document: dict[str, Any], rng: np.random.Generator) -> None:
    values = (None, 5, "x", [1.0], {"a": 1}, torch.zeros(0), np.float64(1).item())
    document["state_dict"][_some_tensor(document, rng)] = values[int(rng.integers(len(values)))]


def _odd_state(document: dict[str, Any], rng: np.random.Generator) -> None:
    values = (None, 5, "x", [], {}, torch.zeros(3), {1: torch.zeros(3)}, {"student.": torch.zeros(1)})
    document["state_dict"] = values[int(rng.integers(len(values)))]


def _odd_config(document: dict[str, Any], rng: np.random.Generator) -> None:
    values = (None, 5, "x", [], {"name": 5}, {"student": 3}, {"data": []}, {1: 2}, float("nan"))
    document["hyper_parameters"]["config"] = values[int(rng.integers(len(values)))]


def _other_network(document: dict[str, Any], rng: np.random.Generator) -> None:
    document["hyper_parameters"]["config"]["student"]["channels"] = int(rng.integers(9, 200))


def _not_finite(document: dict[str, Any], rng: np.random.Generator) -> None:
    floats = [name for name, value in document["state_dict"].items() if value.is_floating_point()]
    tensor: Tensor = document["state_dict"][str(rng.choice(floats))]
    tensor.view(-1)[int(rng.integers(tensor.numel()))] = float("nan")


class _Code:
    """Runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def _code(_: np.random.Generator) -> Made:
    return pickle.dumps(_Code()), Expected.REFUSED


def _code_in_a_checkpoint(_: np.random.Generator) -> Made:
    return _saved([_Code()]), Expected.REFUSED


def _fixed(content: bytes) -> _Maker:
    return lambda _: (content, Expected.REFUSED)


def _noise(rng: np.random.Generator) -> Made:
    start = [b"", b"PK\x03\x04", b"\x80\x02}", b"\x08\x09"][int(rng.integers(4))]
    return start + rng.bytes(int(rng.integers(0, 3000))), Expected.REFUSED


def _odd_document(rng: np.random.Generator) -> Made:
    values = (None, 5, "x", [], torch.zeros(3), [{}], (1, 2))
    return _saved(values[int(rng.integers(len(values)))]), Expected.REFUSED


CASES: Final[dict[str, _Maker]] = {
    "whole": _whole,
    "one bit flipped": _bytes(_flip, Expected.EITHER),
    "one bit of the directory flipped": _bytes(_flip_at_the_end, Expected.EITHER),
    "cut": _bytes(_cut, Expected.REFUSED),
    "bytes removed": _bytes(_remove, Expected.REFUSED),
    "empty": _fixed(b""),
    "noise": _noise,
    "code in a pickle": _code,
    "code in a checkpoint": _code_in_a_checkpoint,
    "odd document": _odd_document,
    "a part missing": _document_with(_drop_key, Expected.REFUSED),
    "a tensor missing": _document_with(_drop_tensor, Expected.REFUSED),
    "a tensor too many": _document_with(_add_tensor, Expected.REFUSED),
    "a tensor of another shape": _document_with(_other_shape, Expected.REFUSED),
    "an odd tensor": _document_with(_odd_tensor, Expected.REFUSED),
    "odd tensors": _document_with(_odd_state, Expected.REFUSED),
    "an odd configuration": _document_with(_odd_config, Expected.REFUSED),
    "another network": _document_with(_other_network, Expected.REFUSED),
    "a weight that is not finite": _document_with(_not_finite, Expected.REFUSED),
}
"""Cases by name."""
