"""The host in the place of a GPU: what the engine with kernels opens, remembered."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime as ort
from host_device import HostDevice
from numpy.typing import NDArray

from distill.benchmarks.one_convolution import Kind
from kd_seg_ros.inference.engine import Prediction
from kd_seg_ros.inference.onnx_file import OnnxFile
from kd_seg_ros.inference.settings import SessionSettings

KIND = Kind(size=(37, 53), scale=0.7, multiple=8)
DYNAMIC = replace(KIND, dynamic=True)


class Gpu:
    """Remembers the devices and sessions that were opened."""

    def __init__(self) -> None:
        self.devices: list[HostDevice] = []
        self.settings: list[SessionSettings] = []
        self.stream = 0
        self.sessions: list[weakref.ref[ort.InferenceSession]] = []
        self.fault: Callable[[SessionSettings], None] = lambda _: None
        """Called for each session; raises what is to go wrong."""

    def device(self, staged: bool) -> HostDevice:
        del staged
        self.devices.append(HostDevice())
        self.devices[-1].stream = self.stream
        return self.devices[-1]

    def running(self) -> list[ort.InferenceSession]:
        """Return the sessions that are still there."""
        sessions = [reference() for reference in self.sessions]
        return list(filter(None, sessions))

    def session(self, file: OnnxFile, settings: SessionSettings, _check: Any) -> ort.InferenceSession:
        self.settings.append(settings)
        self.fault(settings)
        session = ort.InferenceSession(file.content, providers=["CPUExecutionProvider"])
        self.sessions.append(weakref.ref(session))
        return session


def image_of(size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(size[0]).integers(0, 256, (*size, 3), dtype=np.uint8)


def assert_same(found: Prediction, expected: Prediction) -> None:
    """But for the rounding of a network in half precision."""
    assert found.mask.shape == expected.mask.shape
    assert np.mean(found.mask == expected.mask) > 0.998
    np.testing.assert_allclose(found.confidence.astype(int), expected.confidence, atol=2)
