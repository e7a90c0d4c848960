"""Malformed model files, opened and run as the node and segment_bag do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kd_seg_ros.campaign.outcome import Verdict, judged
from kd_seg_ros.faults.greedy_models import MEMORY_MB
from kd_seg_ros.faults.model_cards import HEIGHT, WIDTH
from kd_seg_ros.faults.models import CASES, faulty_model
from kd_seg_ros.faults.onnx_writer import known_answer
from kd_seg_ros.inference.engine import Engine


def names() -> Sequence[str]:
    """Return the names of the cases."""
    return list(CASES)


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Open the file and segment a picture; a sealed file that is taken must give the known answer."""
    fault = faulty_model(name, seed)
    path = folder / "model.onnx"
    path.write_bytes(fault.content)
    image = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    check = None if name.startswith("without a digest") else partial(_problem, image)
    return judged(partial(_segment, path, image), fault.outcome, check)


def _segment(path: Path, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    engine = Engine(path, "cpu", threads=1, memory_mb=MEMORY_MB)
    engine.warm_up()
    found = engine.segment(image)
    return found.mask, found.confidence


def _problem(image: np.ndarray, found: tuple[np.ndarray, np.ndarray]) -> str:
    for what, array, expected in zip(("mask", "confidence"), found, known_answer(image), strict=True):
        if not np.array_equal(array, expected):
            return f"the {what} is not the known answer"
    return ""
