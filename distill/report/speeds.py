"""Frames per second of the runs' networks: measured by `benchmark`, or the thesis'."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distill.models.catalogue import MODELS
from distill.report.runs import Run
from kd_seg_ros.common.errors import UserError

_MEASURES: Final = (
    ("gpu_onnx_fp16_fps", "ONNX Runtime in FP16 on the GPU, 1080×1920"),
    ("gpu_torch_fp16_fps", "PyTorch in FP16 on the GPU, 1080×1920"),
    ("cpu_onnx_ms", "ONNX Runtime on the CPU, 540×960"),
)
"""Columns of the benchmark, the preferred one first."""


@dataclass(frozen=True)
class Speeds:
    """Frames per second by network."""

    by_network: dict[str, float]
    how: str
    """What was timed, and where."""


def measured(path: Path, runs: Sequence[Run]) -> Speeds:
    """Read a JSON file of `benchmark --suite models` for the networks of the runs.

    All speeds are of one column: the first that has a value for every network found.

    :raises UserError: if it cannot be read or is no such file.
    """
    rows = _read(path)
    networks = dict.fromkeys(run.catalogue_name for run in runs)
    found = {name: rows[name] for name in networks if name is not None and name in rows}
    for column, how in _MEASURES:
        values = {name: float(row[column]) for name, row in found.items() if _is_speed(row.get(column))}
        if values and len(values) == len(found):
            fps = {name: 1e3 / value if column.endswith("_ms") else value for name, value in values.items()}
            return Speeds(fps, how)
    return Speeds({}, "")


def of_thesis(runs: Sequence[Run]) -> Speeds:
    """Return the thesis' speeds of those networks of the runs that it measured."""
    models = {name: MODELS[name] for name in (run.catalogue_name for run in runs) if name is not None}
    fps = {name: model.thesis.fps for name, model in models.items() if model.thesis is not None}
    return Speeds(fps, "the thesis' RTX 2080 Ti, 1080×1920")


def _is_speed(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = {str(row["name"]): dict(row) for row in rows if "cpu_onnx_ms" in row}
    except OSError as error:
        raise UserError(f"--fps {path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(_wrong(path)) from error
    if not found:
        raise UserError(_wrong(path))
    return found


def _wrong(path: Path) -> str:
    return f"--fps {path} is no JSON of `kd_seg benchmark --suite models --json > FILE`"
