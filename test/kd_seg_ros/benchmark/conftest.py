from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kd_seg_ros.benchmark.tiny_model import write_tiny_model
from kd_seg_ros.common.ros_environment import isolate_this_process

SIZE = (48, 64)


@pytest.fixture
def _isolated() -> Iterator[None]:
    """A ROS domain of the test's own; environment and signal handlers are afterwards as before."""
    environment = dict(os.environ)
    handler = signal.getsignal(signal.SIGTERM)
    isolate_this_process()
    yield
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", SIZE)
