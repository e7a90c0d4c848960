"""A file cut into its parts answers several images of one run as it answers each alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from distill.benchmarks.one_convolution import Kind, model_file, write_model
from distill.export.batch_check import answers_together, check_batch
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.batched_run import BatchedRun, open_batched
from kd_seg_ros.inference.binding import RunItem
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE, NETWORK_IMAGE
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction
from kd_seg_ros.inference.session_start import session_options
from kd_seg_ros.inference.settings import SessionSettings

CPU = SessionSettings("cpu", threads=1)


def pictures(number: int, size: tuple[int, int] = (40, 52)) -> list[np.ndarray]:
    return list(np.random.default_rng(7).integers(0, 256, (number, *size, 3), np.uint8))


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_answers_are_those_of_the_file(tmp_path: Path, dynamic: bool, half: bool) -> None:
    """Bit by bit in single precision; in half precision what passes between the parts is rounded."""
    kind = Kind(size=(37, 53), scale=0.7, multiple=8, half=half, dynamic=dynamic, batch=True)
    path = write_model(tmp_path / "batch.onnx", kind)
    model, engine = open_batched(path, CPU), Engine(path, "cpu", threads=1)
    assert (model.size, model.dynamic, model.provider) == (engine.size, engine.dynamic, engine.provider)
    assert isinstance(model.binding, BatchedRun)
    size = (61, 45) if dynamic else (37, 53)
    for number in (3, 1, 2):  # more, and fewer, images than the run before had
        images = pictures(number, size)
        for image, found in zip(images, answers_together(model.binding, images), strict=True):
            expected = engine.segment(image)
            (alone,) = answers_together(model.binding, [image])
            np.testing.assert_array_equal(found.mask, alone.mask)
            np.testing.assert_array_equal(found.confidence, alone.confidence)
            assert np.mean(found.mask == expected.mask) >= (0.998 if half else 1.0)
            np.testing.assert_allclose(found.confidence, expected.confidence, atol=1 if half else 0)


def test_each_image_has_its_own_order_of_channels_and_its_own_outputs(tmp_path: Path) -> None:
    path = write_model(tmp_path / "batch.onnx", Kind(batch=True, half=False))
    binding, engine = open_batched(path, CPU).binding, Engine(path, "cpu", threads=1)
    assert isinstance(binding, BatchedRun)
    assert binding.takes_bgr
    first, second = pictures(2)
    plain, full = Prediction.empty((40, 52)), Prediction.empty((40, 52), probability=True)
    bgr = np.ascontiguousarray(first[..., ::-1])
    binding.run_batch([RunItem(bgr, True, plain.arrays()), RunItem(second, False, full.arrays())])
    np.testing.assert_array_equal(plain.mask, engine.segment(first).mask)
    expected = engine.segment(second, probability=True)
    np.testing.assert_array_equal(full.mask, expected.mask)
    assert full.probability is not None
    assert expected.probability is not None
    np.testing.assert_allclose(full.probability, expected.probability, rtol=1e-6)


def test_each_image_has_its_own_domain_distance(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(model_file(Kind(batch=True, half=False)))
    axes = onnx.numpy_helper.from_array(np.array([1, 2, 3]), "axes")
    model.graph.initializer.append(axes)
    model.graph.node.append(
        helper.make_node("ReduceMax", [NETWORK_IMAGE, "axes"], [DOMAIN_DISTANCE], keepdims=0)
    )
    model.graph.output.append(helper.make_tensor_value_info(DOMAIN_DISTANCE, TensorProto.FLOAT, [1]))
    path = tmp_path / "distance.onnx"
    path.write_bytes(model.SerializeToString())
    binding = open_batched(path, CPU).binding
    assert isinstance(binding, BatchedRun)
    assert binding.tells_distance
    images = [np.full((40, 52, 3), value, np.uint8) for value in (10, 250, 90)]
    items = []
    for image in images:
        outputs = Prediction.empty((40, 52)).arrays()
        items.append(RunItem(image, False, {**outputs, DOMAIN_DISTANCE: np.empty(1, np.float32)}))
    binding.run_batch(items)
    engine = Engine(path, "cpu", threads=1)
    for item, image in zip(items, images, strict=True):
        assert item.distance == pytest.approx(engine.segment(image).domain_distance, rel=1e-6)
    assert len({item.distance for item in items}) == 3


def test_a_file_for_one_image_names_the_option_of_the_export(tmp_path: Path) -> None:
    path = write_model(tmp_path / "single.onnx", Kind())
    with pytest.raises(
        EngineError, match=r"single\.onnx: its network takes one image per run: export it with --batch"
    ):
        open_batched(path, CPU)


def test_a_file_of_open_size_must_tell_how_images_are_padded(tmp_path: Path) -> None:
    path = write_model(tmp_path / "old.onnx", Kind(batch=True, dynamic=True))
    model = onnx.load(path)
    text = json.loads(model.metadata_props[0].value)
    model.metadata_props[0].value = json.dumps(text | {"padding_multiple": 0})
    onnx.save(model, path)
    with pytest.raises(EngineError, match="does not tell how images are padded"):
        open_batched(path, CPU)


def test_tensorrt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="batch: true is for the providers auto, cuda, cpu, not 'tensorrt'"):
        open_batched(tmp_path / "any.onnx", SessionSettings("tensorrt"))


def test_elsewhere_the_number_of_images_is_one(tmp_path: Path) -> None:
    """Nothing is computed of the number: the file is as fast, and as fit for a CUDA graph, as others."""
    content = model_file(Kind(batch=True))
    options = session_options()
    options.add_free_dimension_override_by_name("batch", 1)
    model = onnx.utils.Extractor(onnx.load_model_from_string(content)).extract_model(
        [NETWORK_IMAGE], ["network.logits"]
    )
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[0] == 1


def test_the_export_checks_that_images_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind(batch=True)
    proto, out = onnx.load_model_from_string(model_file(kind)), tmp_path / "out.onnx"
    from distill.benchmarks.one_convolution import card

    pair = (pictures(1)[0], None)
    check_batch(proto, card(kind), out, [pair], "cpu")
    genuine = BatchedRun.run_batch

    def mixed(self: BatchedRun, items: list[RunItem]) -> None:
        genuine(self, items)
        items[0].outputs["mask"][:] = items[-1].outputs["mask"]

    monkeypatch.setattr(BatchedRun, "run_batch", mixed)
    with pytest.raises(UserError, match="gets another answer than alone"):
        check_batch(proto, card(kind), out, [pair], "cpu")
    assert not list(tmp_path.iterdir())
