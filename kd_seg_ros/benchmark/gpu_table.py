"""The figures of suite ``gpu`` as a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kd_seg_ros.benchmark.machine import machine
from kd_seg_ros.benchmark.result import table

GOAL: Final = 1.5
"""Largest ratio of the 99th percentile to the median."""
_HEAD: Final = [
    "model",
    "run by",
    "frames/s",
    "p50, ms",
    "p99, ms",
    "p99 / p50",
    "network alone, ms",
    "around it, ms",
    "floor, ms",
    "p50 / floor",
]
_NONE: Final = "–"


def text(rows: Sequence[dict[str, Any]]) -> str:
    """Lay out the figures of :func:`kd_seg_ros.benchmark.gpu_suite.run`."""
    lines, notes = [], []
    for row in rows:
        lines.append([row["model"], row["variant"], *_cells(row)])
        if "refused" in row:
            notes.append(f"{row['model']}, {row['variant']}: {row['refused']}")
        if "host_ms" in row:
            notes.append(_comparison(row))
    explained = (
        "From an image in the computer's memory to the maps there. *Network alone*: on the GPU's own "
        "buffers, in turn with it; *around it*: the difference of the medians."
    )
    return "\n\n".join([table(_HEAD, lines), explained, *notes, f"Measured on: {machine()}."])


def _cells(row: dict[str, Any]) -> list[str]:
    """Return a row's cells after its name."""
    network = row.get("network_ms")
    alone = f"{network:.3f}" if network else _NONE
    if "p50" not in row:
        return [*[_NONE] * 4, alone, *[_NONE] * 3]
    ratio, floor = row["p99"] / row["p50"], row["floor_ms"]
    return [
        f"{1e3 / row['p50']:.0f}",
        f"{row['p50']:.3f}",
        f"{row['p99']:.3f}",
        f"{ratio:.2f}{'' if ratio <= GOAL else ' (missed)'}",
        alone,
        f"{row['p50'] - network:.3f}" if network else _NONE,
        *([f"{floor:.3f}", f"{row['p50'] / floor:.1f}×"] if floor else [_NONE, _NONE]),
    ]


def _comparison(row: dict[str, Any]) -> str:
    """Return a line that compares the kernels with the same work on the host."""
    around = row["p50"] - row["network_ms"]
    faster = f", {row['host_ms'] / around:.0f}× as long" if around > 0 else ""
    return (
        f"{row['model']}: pre- and post-processing by OpenCV and NumPy takes {row['host_ms']:.1f} ms{faster} "
        "as what the engine does around the network."
    )
