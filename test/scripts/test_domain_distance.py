"""The comparison of signs of unknown images opens the shipped file, which has a distance already."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_it_measures_with_the_shipped_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    sys.modules.pop("domain_distance", None)
    from domain_distance import Instrument

    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (72, 128, 3), np.uint8)
    row = Instrument(ROOT / "resource" / "demo_student.onnx").measure(
        image, np.zeros((72, 128), np.uint8), None
    )
    assert 0 <= row["accuracy"] <= 1
    numbers = [np.asarray(value) for value in row.values() if not isinstance(value, str)]
    assert all(np.isfinite(value).all() for value in numbers)
