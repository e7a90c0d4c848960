"""The host in the place of the GPU."""

from __future__ import annotations

import pytest
from host_gpu import Gpu

from kd_seg_ros.inference import opening as whole_file
from kd_seg_ros.inference.gpu import opening


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """Put the host in the place of the GPU."""
    fake = Gpu()
    monkeypatch.setattr(opening, "CudaDevice", fake.device)
    monkeypatch.setattr(opening, "open_session", fake.session)
    monkeypatch.setattr(whole_file, "open_session", fake.session)
    return fake
