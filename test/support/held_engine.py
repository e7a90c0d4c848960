"""An engine that can be held still, for a node in the test's own process, and messages for that node."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from threading import Event
from typing import Any

import numpy as np
import tiny_model
from dds import rgb_message
from sensor_msgs.msg import Image

from kd_seg_ros.inference.engine import EngineError, Prediction
from kd_seg_ros.inference.thresholds import MinConfidenceLevels, apply_min_confidence

HEIGHT, WIDTH = 48, 64


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)  # no red of 255


class HeldEngine:
    """Waits in every run until told to go on; fails on red images, and loses its device on white ones."""

    def __init__(self, *_: object, **__: object) -> None:
        self.card = tiny_model.card(HEIGHT, WIDTH)
        self.provider = "TestExecutionProvider"
        self.sha256 = "0" * 64
        self.size, self.dynamic = (HEIGHT, WIDTH), False
        self.running, self.go_on = Event(), Event()
        self.reopened = 0

    def warm_up(self) -> None:
        pass

    def place(self) -> AbstractContextManager[None]:
        return nullcontext()

    def reopen(self) -> None:
        self.reopened += 1

    def segment(
        self, image: np.ndarray, *, bgr: bool, out: Prediction, min_confidence: MinConfidenceLevels
    ) -> Prediction:
        self.running.set()
        assert self.go_on.wait(300)
        if image[0, 0, 0] == 255:
            raise EngineError("device lost") if image[0, 0, 1] == 255 else RuntimeError("a mistake of ours")
        out.mask[...], out.confidence[...] = tiny_model.expected(image)
        apply_min_confidence(out.mask, out.confidence, min_confidence, self.card.ignore_id)
        return out


def plain(value: int, second: int) -> Image:
    return rgb_message(np.full((HEIGHT, WIDTH, 3), value, np.uint8), second)


def red(second: int) -> Image:
    return rgb_message(np.full((HEIGHT, WIDTH, 3), (255, 0, 0), np.uint8), second)


def reported(node: Any) -> tuple[bytes, str]:
    report = node._reporting.report()
    return report.level, report.message


def totals(node: Any) -> dict[str, int]:
    return node._worker.statistics.summary().totals
