"""The tables of suite ``training``."""

from __future__ import annotations

from typing import Any

from kd_seg_ros.benchmark.result import table


def layout(figures: dict[str, Any]) -> str:
    """Lay out the figures in Markdown: both implementations, parts of a step, choices, a checkpoint."""
    ours, straight = figures["images_per_second"], figures["straight_images_per_second"]
    memory, straight_memory = figures["peak_bytes"] / 1e9, figures["straight_peak_bytes"] / 1e9
    compared = [
        ["images/s", f"{ours:.2f}", f"{straight:.2f}", f"{ours / straight:.2f}×"],
        [
            "peak memory (GB)",
            f"{memory:.2f}",
            f"{straight_memory:.2f}",
            f"{memory / straight_memory:.2f}×",
        ],
    ]

    seconds, cached = figures["seconds"], figures["cache"]
    step = sum(value for name, value in seconds.items() if name != "data")
    parts = [
        [name, f"{1e3 * seconds[name]:.0f}", f"{100 * seconds[name] / step:.1f} %"]
        for name in ("teacher", "student", "losses")
    ]
    size = f"{cached['bytes_per_image'] / 1e6:.1f} MB per image"
    parts.append(["(teacher from `--teacher.cache`)", f"{1e3 * cached['seconds']:.0f}", size])
    share = f"{100 * seconds['data'] / step:.0f} % of a step, divided by the workers, at the same time"
    parts.append(["data of one batch, one process", f"{1e3 * seconds['data']:.0f}", share])

    precision = "FP16" if figures["half"] else "FP32"
    case = (
        f"SwiftNet-FPN {figures['student']} ← {figures['teacher']}, {figures['channels']} channels, "
        f"{figures['size']}², batch {figures['batch']}, {precision}:"
    )
    first = table(["", "engine", "straightforward", "ratio"], compared)
    second = table(["part of the engine's step", "ms", "share"], parts)
    third = table(["the engine with", "images/s", "peak memory (GB)", "first step (s)"], _variants(figures))
    saved = figures["checkpoint"]
    fourth = (
        f"A checkpoint of {saved['bytes'] / 1e6:.0f} MB stops training for "
        f"{1e3 * saved['stall_seconds']:.0f} ms; written at once it would be "
        f"{1e3 * saved['at_once_seconds']:.0f} ms."
    )
    return f"{case}\n\n{first}\n\n{second}\n\n{third}\n\n{fourth}"


def _variants(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table of choices."""
    rows = []
    for each in figures["variants"]:
        if "failure" in each:
            rows.append([each["name"], "not possible here", each["failure"], ""])
            continue
        memory = f"{each['peak_bytes'] / 1e9:.2f}"
        rows.append(
            [each["name"], f"{each['images_per_second']:.2f}", memory, f"{each['first_seconds']:.1f}"]
        )
    return rows
