"""Checkpoints and files of weights, damaged or odd, read as the commands read them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import timm
import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from distill.campaign.odd_archives import (
    EXECUTED,
    Code,
    cut,
    flip,
    flip_at_the_end,
    noise,
    nothing,
    remove_some,
    repacked,
    saved,
    torchscript,
    zip_of,
)
from distill.campaign.odd_tensors import TENSORS, WRAPPED, Change
from distill.checkpoints.checkpoint_file import save_checkpoint
from distill.checkpoints.student import STUDENT_PREFIX, build_network, load_student
from distill.config import parse_config
from distill.models.state_dict import CURRENT
from distill.models.timm_backbone import create_backbone
from distill.models.weights import Pretrained
from kd_seg_ros.campaign.outcome import Expected, Outcome, Verdict, judged

_BACKBONE: Final = "resnet10t"
_CONFIG: Final[dict[str, Any]] = {
    "name": "small",
    "data": {"root": "data", "crop": [64, 64]},
    "student": {"backbone": _BACKBONE, "channels": 8, "pretrained": False},
}

Made = tuple[bytes, Expected]
_Maker = Callable[[np.random.Generator], Made]


def names() -> Sequence[str]:
    """Return the names of the cases."""
    return [*_BYTES, *_CHECKPOINTS, *(f"weights: {name}" for name in _WEIGHTS)]


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Write the file and load it; a file that is taken must hold the weights that were saved."""
    rng = np.random.default_rng(seed)
    kind, _, weights = name.partition("weights: ")
    if weights:
        content, expected = _WEIGHTS[weights](rng)
        path = folder / ("x.safetensors" if "safetensors" in name else "x.pth")
        action: Callable[[], nn.Module] = partial(_backbone, path)
        wanted = _weights()
    else:
        content, expected = (_BYTES | _CHECKPOINTS)[kind](rng)
        path = folder / "best.ckpt"
        action = partial(_student, path)
        wanted = _student_weights()
    path.write_bytes(content)
    verdict = judged(action, expected, partial(_problem, wanted))
    if EXECUTED.exists():
        EXECUTED.rmdir()
        return Verdict(Outcome.WRONG, "code in the file was run")
    return verdict


def _student(path: Path) -> nn.Module:
    return load_student(path)[0]


def _backbone(path: Path) -> nn.Module:
    return create_backbone(_BACKBONE, Pretrained(str(path)))[0]


def _problem(wanted: dict[str, Tensor], found: nn.Module) -> str:
    for name, value in found.state_dict().items():
        # Half precision and bfloat16 round by less than 1 in 200.
        if not torch.allclose(value.float(), wanted[name].float(), rtol=5e-3, atol=1e-6):
            return f"{name} is not what was saved"
    return ""


@cache
def _student_weights() -> dict[str, Tensor]:
    """Return the weights of the student in an undamaged checkpoint."""
    config = parse_config(_CONFIG, "campaign")
    return build_network(config.student, len(config.data.class_names)).state_dict()


@cache
def _weights() -> dict[str, Tensor]:
    """Return the weights of a backbone with its classifier, as a hub has them."""
    return timm.create_model(_BACKBONE).state_dict()


def _document(state: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a checkpoint."""
    config = parse_config(_CONFIG, "campaign").model_dump(mode="json")
    return {"epoch": 1, "global_step": 1, "hyper_parameters": {"config": config}, "state_dict": state}


def _prefixed(state: dict[str, Any]) -> dict[str, Any]:
    return {f"{STUDENT_PREFIX}{name}": value for name, value in state.items()}


@cache
def _whole() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "best.ckpt"
        save_checkpoint(_document(_prefixed(_student_weights())), path)
        return path.read_bytes()


def _bytes(damage: Callable[[bytearray, np.random.Generator], object], expected: Expected) -> _Maker:
    """Return what damages the bytes of a whole file."""

    def make(rng: np.random.Generator) -> Made:
        content = bytearray(_whole())
        damage(content, rng)
        return bytes(content), expected

    return make


def _fixed(content: Callable[[], bytes], expected: Expected = Expected.REFUSED) -> _Maker:
    """Return what gives a file that is the same for every seed."""
    return lambda _: (content(), expected)


def _noise(rng: np.random.Generator) -> Made:
    return noise(rng), Expected.REFUSED


def _odd_document(rng: np.random.Generator) -> Made:
    values: tuple[Any, ...] = (None, 5, "x", [], torch.zeros(3), [{}], (1, 2), {}, {1: 2})
    return saved(values[int(rng.integers(len(values)))]), Expected.REFUSED


def _cut_weights(content: bytes) -> _Maker:
    return lambda rng: (content[: int(rng.integers(len(content)))], Expected.REFUSED)


def _checkpoint(change: Change, expected: Expected) -> _Maker:
    """Return what changes the tensors of a checkpoint."""

    def make(rng: np.random.Generator) -> Made:
        state = {name: value.clone() for name, value in _student_weights().items()}
        return saved(_document(_prefixed(change(state, rng)))), expected

    return make


def _wrapped(change: Change) -> _Maker:
    """Return what renames the tensors of a checkpoint, the student's prefix included."""
    return lambda rng: (saved(_document(change(_prefixed(_student_weights()), rng))), Expected.SAME)


def _weights_file(change: Change, expected: Expected, key: str | None = None) -> _Maker:
    """Return what changes the tensors of a file of weights, and puts them under a key if one is given."""

    def make(rng: np.random.Generator) -> Made:
        # Without the classifier, which may have any form.
        kept = {name: value.clone() for name, value in _weights().items() if not name.startswith("fc.")}
        state = change(kept, rng)
        return saved(state if key is None else {"epoch": 3, key: state}), expected

    return make


def _part_missing(rng: np.random.Generator) -> Made:
    document = _document(_prefixed(_student_weights()))
    del document[str(rng.choice(["hyper_parameters", "state_dict"]))]
    return saved(document), Expected.REFUSED


def _odd_state(rng: np.random.Generator) -> Made:
    values: tuple[Any, ...] = (
        None,
        5,
        "x",
        [],
        {},
        torch.zeros(3),
        {1: torch.zeros(3)},
        {STUDENT_PREFIX: torch.zeros(1)},
    )
    document = _document({}) | {"state_dict": values[int(rng.integers(len(values)))]}
    return saved(document), Expected.REFUSED


def _odd_config(rng: np.random.Generator) -> Made:
    values: tuple[Any, ...] = (
        None,
        5,
        "x",
        [],
        {"name": 5},
        {"student": 3},
        {"data": []},
        {1: 2},
        float("nan"),
    )
    document = _document(_prefixed(_student_weights()))
    document["hyper_parameters"]["config"] = values[int(rng.integers(len(values)))]
    return saved(document), Expected.REFUSED


def _other_network(rng: np.random.Generator) -> Made:
    document = _document(_prefixed(_student_weights()))
    document["hyper_parameters"]["config"]["student"]["channels"] = int(rng.integers(9, 200))
    return saved(document), Expected.REFUSED


def _averaged(_: np.random.Generator) -> Made:
    """Return a file of the last step's weights and of their moving average, the one to deploy."""
    last = {name: value + 1 for name, value in _weights().items()}
    return saved({"state_dict": last, "state_dict_ema": _weights()}), Expected.SAME


_REFUSED, _SAME, _EITHER = Expected.REFUSED, Expected.SAME, Expected.EITHER

_BYTES: Final[dict[str, _Maker]] = {
    "whole": _bytes(nothing, _SAME),
    "one bit flipped": _bytes(flip, _EITHER),
    "one bit of the directory flipped": _bytes(flip_at_the_end, _EITHER),
    "cut": _bytes(cut, _REFUSED),
    "bytes removed": _bytes(remove_some, _REFUSED),
    "empty": _fixed(bytes),
    "noise": _noise,
    "code in a pickle": _fixed(lambda: pickle.dumps(Code())),
    "code in a checkpoint": _fixed(lambda: saved([Code()])),
    "odd document": _odd_document,
    "the older format": _fixed(
        lambda: saved(_document(_prefixed(_student_weights())), _use_new_zipfile_serialization=False),
        _EITHER,
    ),
    "TorchScript": _fixed(torchscript),
    "ONNX": _fixed(lambda: b"\x08\x0a\x12\x07pytorch" + bytes(100)),
    "safetensors": _fixed(lambda: save_tensors(_student_weights())),
    "another zip archive": _fixed(lambda: zip_of(**{"word/document.xml": b"<x/>"})),
    "packed again": _fixed(lambda: repacked(_whole(), zipfile.ZIP_STORED), _EITHER),
    "compressed": _fixed(lambda: repacked(_whole(), zipfile.ZIP_DEFLATED), _EITHER),
    "a name outside the archive": _fixed(
        lambda: repacked(_whole(), zipfile.ZIP_STORED, "../../kd_seg_fuzz_outside"), _EITHER
    ),
    "an absolute name": _fixed(
        lambda: repacked(_whole(), zipfile.ZIP_STORED, "/kd_seg_fuzz_outside"), _EITHER
    ),
}
"""Files that are damaged, or of another kind."""

_CHECKPOINTS: Final[dict[str, _Maker]] = {
    **{f"tensors: {name}": _checkpoint(change, expected) for name, (expected, change) in TENSORS.items()},
    **{f"names: {name}": _wrapped(change) for name, change in WRAPPED.items()},
    "a part missing": _part_missing,
    "odd tensors": _odd_state,
    "an odd configuration": _odd_config,
    "another network": _other_network,
}
"""Whole files of odd content."""

_WEIGHTS: Final[dict[str, _Maker]] = {
    **{name: _weights_file(change, expected) for name, (expected, change) in TENSORS.items()},
    **{f"names {name}": _weights_file(change, _SAME) for name, change in WRAPPED.items()},
    **{f"under {key}": _weights_file(TENSORS["as they are"][1], _SAME, key) for key in CURRENT},
    "under model.": _weights_file(lambda state, _: {f"model.{k}": v for k, v in state.items()}, _SAME),
    "averaged, too": _averaged,
    "of a checkpoint": _fixed(_whole),
    "code": _fixed(lambda: saved({"weight": Code()})),
    "the older format": _fixed(lambda: saved(_weights(), _use_new_zipfile_serialization=False), _SAME),
    "cut": _cut_weights(saved({"weight": torch.zeros(1000)})),
    "cut, of the older format": _cut_weights(
        saved({"weight": torch.zeros(1000)}, _use_new_zipfile_serialization=False)
    ),
    "safetensors": _fixed(lambda: save_tensors(_weights()), _SAME),
    "safetensors, cut": _cut_weights(save_tensors({"weight": torch.zeros(1000)})),
    "safetensors of noise": _noise,
}
"""Files of weights for a backbone."""
