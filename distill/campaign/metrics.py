"""Results of evaluate, damaged or odd, compared by ``kd_seg compare``."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch

from distill.evaluation.evaluation import Evaluation
from distill.evaluation.metrics_json import metrics_document
from distill.evaluation.run_files import write_run
from kd_seg_ros.campaign.in_process import Ended, judged_command, run_in_process
from kd_seg_ros.campaign.outcome import Expected, Verdict

_CLASSES: Final = ("road", "car", "sky")
_JSON: Final = "best.metrics.json"
_NPZ: Final = "best.images.npz"
_COMPARE: Final = "distill.commands.compare"

Files = dict[str, bytes]
_Change = Callable[[Files, np.random.Generator], None]


def names() -> Sequence[str]:
    """Return the names of the cases."""
    return list(CASES)


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Change the files of one of two evaluations and compare them; what is taken must compare as before."""
    expected, change = CASES[name]
    files = dict(_run(0))
    change(files, np.random.default_rng(seed))
    _write(folder / "a", files)
    _write(folder / "b", _run(1))
    words = [str(folder / "a"), str(folder / "b"), "--draws", "100", "--json"]
    return judged_command("kd_seg compare", _COMPARE, words, expected, _problem)


def _problem(ended: Ended) -> str:
    found = json.loads(ended.out)["differences"]
    return "" if found == _undamaged() else "the differences are not those of the whole files"


@cache
def _undamaged() -> Any:
    with TemporaryDirectory() as folder:
        for name, number in (("a", 0), ("b", 1)):
            _write(Path(folder) / name, _run(number))
        words = [f"{folder}/a", f"{folder}/b", "--draws", "100", "--json"]
        return json.loads(run_in_process("kd_seg compare", _COMPARE, words).out)["differences"]


def _write(folder: Path, files: Files) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


@cache
def _run(number: int) -> Files:
    """Return the files of an evaluation on the same images, by name."""
    labels_of, noise = np.random.default_rng(0), np.random.default_rng(number)
    evaluation = Evaluation(_CLASSES)
    for index in range(8):
        labels = labels_of.integers(0, 3, (10, 12)).astype(np.uint8)
        logits = torch.from_numpy(noise.normal(0, 1, (3, 10, 12)).astype(np.float32))
        logits += 2.0 * (torch.arange(3)[:, None, None] == torch.from_numpy(labels.astype(np.int64)))
        condition = ("fog", "night")[index % 2]
        evaluation.update(condition, f"{condition}/{index}.png", labels, logits)
    model = {
        "file": "best.ckpt",
        "sha256": str(number) * 64,
        "name": f"network {number}",
        "temperature": 1.0,
        "calibration": {"method": "temperature", "parameters": {"temperature": 1.0}},
        "parameters": 1000,
    }
    data = {"dataset": "made up", "root": "data", "split": "val"}
    with TemporaryDirectory() as folder:
        path = Path(folder) / _JSON
        write_run(path, metrics_document(evaluation.summary(), _CLASSES, model, data), evaluation.images())
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def _nothing(files: Files, rng: np.random.Generator) -> None:
    """Leave the files as they are."""


def _flip(name: str) -> _Change:
    def change(files: Files, rng: np.random.Generator) -> None:
        content = bytearray(files[name])
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        files[name] = bytes(content)

    return change


def _cut(name: str) -> _Change:
    def change(files: Files, rng: np.random.Generator) -> None:
        files[name] = files[name][: int(rng.integers(len(files[name]) - 5))]

    return change


def _is(name: str, content: bytes) -> _Change:
    def change(files: Files, _: np.random.Generator) -> None:
        files[name] = content

    return change


def _lacks(name: str) -> _Change:
    def change(files: Files, _: np.random.Generator) -> None:
        del files[name]

    return change


def _places(document: Any) -> list[list[Any]]:
    """Return the path of every value in a document, by keys and indexes."""
    found: list[list[Any]] = []
    waiting: list[tuple[list[Any], Any]] = [([], document)]
    while waiting:
        path, value = waiting.pop()
        if path:
            found.append(path)
        if isinstance(value, dict):
            waiting += [([*path, key], item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [([*path, index], item) for index, item in enumerate(value)]
    return found


_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, -1, 0, 1.5, 1e308, float("nan"), float("inf"), 10**400, "", "x", "\ud800", "a\nb"),
    *([], [1], [[]], {}, {"a": "b"}, "<script>"),
)


def _odd_value(files: Files, rng: np.random.Generator) -> None:
    """Give any place in metrics.json another value."""
    document = json.loads(files[_JSON])
    places = _places(document)
    path = places[int(rng.integers(len(places)))]
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = _VALUES[int(rng.integers(len(_VALUES)))]
    files[_JSON] = json.dumps(document).encode()


def _lacks_a_key(files: Files, rng: np.random.Generator) -> None:
    document = json.loads(files[_JSON])
    places = _places(document)
    path = places[int(rng.integers(len(places)))]
    part = document
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    files[_JSON] = json.dumps(document).encode()


def _arrays(change: Callable[[dict[str, Any], np.random.Generator], None]) -> _Change:
    """Return what changes the arrays of images.npz."""

    def apply(files: Files, rng: np.random.Generator) -> None:
        with np.load(io.BytesIO(files[_NPZ])) as stored:
            arrays = dict(stored)
        change(arrays, rng)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        files[_NPZ] = buffer.getvalue()

    return apply


def _array_missing(arrays: dict[str, Any], rng: np.random.Generator) -> None:
    del arrays[str(rng.choice(sorted(arrays)))]


def _other_shape(arrays: dict[str, Any], rng: np.random.Generator) -> None:
    name = str(rng.choice(["names", "conditions", "confusion", "count", "confidence", "correct"]))
    arrays[name] = arrays[name][:-1] if rng.integers(2) else arrays[name][..., None]


def _other_type(arrays: dict[str, Any], rng: np.random.Generator) -> None:
    name = str(rng.choice(["names", "conditions", "confusion", "count", "correct", "format"]))
    kinds = (
        ("S4",) if arrays[name].dtype.kind == "U" else ("c16", "bool") if name != "format" else ("S4", "U4")
    )
    arrays[name] = arrays[name].astype(str(rng.choice(kinds)))


def _other_count(arrays: dict[str, Any], rng: np.random.Generator) -> None:
    table = arrays[str(rng.choice(["confusion", "count", "correct"]))]
    table[np.unravel_index(int(rng.integers(table.size)), table.shape)] += int(
        rng.choice([-(10**6), 1, 2**50])
    )


_SAME, _REFUSED, _EITHER = Expected.SAME, Expected.REFUSED, Expected.EITHER

CASES: Final[dict[str, tuple[Expected, _Change]]] = {
    "whole": (_SAME, _nothing),
    "metrics: an odd value": (_EITHER, _odd_value),
    "metrics: a key missing": (_EITHER, _lacks_a_key),
    "metrics: a flipped bit": (_EITHER, _flip(_JSON)),
    "metrics: cut": (_REFUSED, _cut(_JSON)),
    "metrics: empty": (_REFUSED, _is(_JSON, b"")),
    "metrics: a list": (_REFUSED, _is(_JSON, b"[]")),
    "metrics: brackets without end": (_REFUSED, _is(_JSON, b"[" * 100_000)),
    "metrics: not UTF-8": (_REFUSED, _is(_JSON, b"{\xff\xfe}")),
    "metrics: a number without end": (_REFUSED, _is(_JSON, b"1" * 10_000)),
    "metrics: missing": (_REFUSED, _lacks(_JSON)),
    "tables: a flipped bit": (_EITHER, _flip(_NPZ)),
    "tables: cut": (_REFUSED, _cut(_NPZ)),
    "tables: empty": (_REFUSED, _is(_NPZ, b"")),
    "tables: missing": (_REFUSED, _lacks(_NPZ)),
    "tables: an array missing": (_REFUSED, _arrays(_array_missing)),
    "tables: another shape": (_REFUSED, _arrays(_other_shape)),
    "tables: another type": (_REFUSED, _arrays(_other_type)),
    "tables: another count": (_REFUSED, _arrays(_other_count)),
}
"""Name → what must come of the files, and what changes those of a whole evaluation."""
