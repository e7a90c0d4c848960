"""The comparison's own pre- and post-processing does what the model file's nodes do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from distill.benchmarks.one_convolution import Kind, card, model_file, write_model
from kd_seg_ros.benchmark.host_route import image_maps, network_image
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.gpu.geometry import Geometry
from kd_seg_ros.inference.gpu.split_file import SplitFile


def test_the_route_by_opencv_and_numpy_gives_the_files_maps(tmp_path: Path) -> None:
    kind = Kind(half=False)
    described = card(kind)
    geometry = Geometry.of_image(kind.size, described)
    image = np.random.default_rng(0).integers(0, 256, (*kind.size, 3), dtype=np.uint8)
    session = ort.InferenceSession(
        SplitFile.of_file(model_file(kind)).network, providers=["CPUExecutionProvider"]
    )
    x = network_image(image, described, geometry).astype(np.float32)
    logits = session.run(None, {session.get_inputs()[0].name: x})[0]
    mask, confidence, _ = image_maps(logits, kind.size)
    expected = Engine(write_model(tmp_path / "model.onnx", kind), "cpu").segment(image)
    assert np.mean(mask == expected.mask) > 0.99  # the image was rounded to half precision
    assert np.mean(np.abs(confidence.astype(int) - expected.confidence) <= 2) > 0.99


def test_the_image_is_padded_and_resized_for_the_network() -> None:
    described = card(Kind(size=(40, 60), scale=0.5, multiple=32))
    geometry = Geometry.of_image((40, 60), described)
    found = network_image(np.full((40, 60, 3), 255, np.uint8), described, geometry)
    assert found.shape == (1, 3, 32, 32)
    inside = found[0, :, 6:26, 1:31]
    white = (1 - np.array(described.mean)) / described.std
    np.testing.assert_allclose(inside, np.broadcast_to(white[:, None, None], inside.shape), rtol=1e-3)
    assert np.count_nonzero(found) == inside.size
