from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_seg_ros.benchmark.bare_run import BareRun, random_image
from kd_seg_ros.benchmark.tiny_model import write_tiny_model
from kd_seg_ros.inference.engine import Engine

SIZE = (48, 64)


def test_bare_run_and_engine_agree_on_the_tiny_model(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.onnx", SIZE)
    engine = Engine(path, "cpu")
    assert engine.size == SIZE
    image = random_image(SIZE)
    prediction = engine.segment(image, probability=True)
    thirds = image.reshape(3, *SIZE)
    np.testing.assert_array_equal(prediction.mask, thirds[0] // 16)
    np.testing.assert_array_equal(prediction.confidence, thirds[1])
    assert prediction.probability is not None
    np.testing.assert_allclose(prediction.probability, thirds[1] / 255, rtol=1e-6)
    bare = BareRun(path, "cpu", SIZE)
    bare.run()
    np.testing.assert_array_equal(bare.arrays["mask"], prediction.mask)
    np.testing.assert_array_equal(bare.arrays["confidence"], prediction.confidence)
