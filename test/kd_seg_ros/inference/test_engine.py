from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_model
from numpy.typing import NDArray
from onnx import TensorProto, helper

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64)


def random_image(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def error_of(path: Path, provider: str = "cpu") -> str:
    with pytest.raises(EngineError) as caught:
        Engine(path, provider)
    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_known_answer_at_the_size_of_the_file(model: Path) -> None:
    engine = Engine(model, "cpu")
    image = random_image(40, 64)
    prediction = engine.segment(image, probability=True)
    mask, confidence = tiny_model.expected(image)
    np.testing.assert_array_equal(prediction.mask, mask)
    np.testing.assert_array_equal(prediction.confidence, confidence)
    assert prediction.probability is not None
    np.testing.assert_allclose(prediction.probability, image[..., 1] / 255, rtol=1e-6)
    assert [a.dtype for a in (prediction.mask, prediction.confidence, prediction.probability)] == [
        np.uint8,
        np.uint8,
        np.float32,
    ]
    assert engine.segment(image).probability is None


def test_what_it_says_about_itself(model: Path) -> None:
    engine = Engine(str(model), "cpu")
    assert engine.provider == "CPUExecutionProvider"
    assert engine.size == (40, 64)
    assert engine.card.class_names[10] == "sky"


def test_larger_image_keeps_its_size_and_every_block_its_class(model: Path) -> None:
    small = random_image(40, 64)
    large = small.repeat(3, axis=0).repeat(3, axis=1)  # averaging 3×3 equal pixels gives `small` back
    prediction = Engine(model, "cpu").segment(large, probability=True)
    mask, confidence = tiny_model.expected(large)
    np.testing.assert_array_equal(prediction.mask, mask)
    np.testing.assert_array_equal(prediction.confidence, confidence)
    assert prediction.probability is not None
    assert prediction.probability.shape == (120, 192)


@pytest.mark.parametrize("size", [(1, 1), (17, 23), (40, 63), (41, 64), (39, 200), (97, 30)])
def test_image_of_any_size_with_a_left_and_a_right_half(model: Path, size: tuple[int, int]) -> None:
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (42, 10, 0)  # class 3
    image[:, width // 2 :] = (140, 200, 0)  # class 10
    prediction = Engine(model, "cpu").segment(image)
    assert prediction.mask.shape == prediction.confidence.shape == size
    # Away from the border, where interpolation mixes the halves, the answer is known.
    margin = 1 + width // 32
    mask, confidence = tiny_model.expected(image)
    far = np.abs(np.arange(width) + 0.5 - width // 2) > margin
    np.testing.assert_array_equal(prediction.mask[:, far], mask[:, far])
    np.testing.assert_array_equal(prediction.confidence[:, far], confidence[:, far])


def test_a_view_that_is_not_contiguous_is_read_rightly(model: Path) -> None:
    wide = random_image(40, 100)
    view = wide[:, 20:84, ::-1]
    np.testing.assert_array_equal(Engine(model, "cpu").segment(view).confidence, wide[:, 20:84, 1])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 64), np.uint8),
        np.zeros((40, 64, 4), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
        np.zeros((40, 64, 3), np.float32),
    ],
)
def test_arguments_that_are_no_rgb_image(model: Path, image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"uint8 \[H, W, 3\]"):
        Engine(model, "cpu").segment(image)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "no such model file" in error_of(tmp_path / "missing.onnx")
    assert str(tmp_path) in error_of(tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_file(model: Path, kept: float) -> None:
    data = model.read_bytes()
    model.write_bytes(data[: int(kept * len(data))])
    # Cut inside the card, the rest is a file that is still whole but for the card.
    assert "not a readable ONNX file" in error_of(model) or "no model card" in error_of(model)


def test_not_onnx(tmp_path: Path) -> None:
    path = tmp_path / "picture.onnx"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(1000))
    assert f"{path}: not a readable ONNX file" in error_of(path)


def test_onnx_of_another_kind(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "other",
        [info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [info("y", TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9),
        str(tmp_path / "other.onnx"),
    )
    message = error_of(tmp_path / "other.onnx")
    assert "not a kd_seg_ros model" in message
    assert "['x']" in message
    assert "['y']" in message


def test_without_card(tmp_path: Path) -> None:
    onnx.save(tiny_model.build(8, 8, None), str(tmp_path / "bare.onnx"))
    assert "no model card" in error_of(tmp_path / "bare.onnx")


def test_with_a_card_that_is_no_card(tmp_path: Path) -> None:
    path = tmp_path / "bad_card.onnx"
    onnx.save(tiny_model.build(8, 8, '{"schema": 1}'), str(path))
    message = error_of(path)
    assert str(path) in message
    assert "lacks class_names" in message


def test_card_of_another_size_than_the_tensors(tmp_path: Path) -> None:
    card = tiny_model.card(10, 12).to_json()
    onnx.save(tiny_model.build(8, 12, card), str(tmp_path / "size.onnx"))
    assert "'image' is tensor(uint8) [8, 12, 3]; by its model card it must be tensor(uint8) [10, 12, 3]" in (
        error_of(tmp_path / "size.onnx")
    )


@pytest.mark.parametrize(
    ("name", "node", "dtype", "shape"),
    [
        ("mask", helper.make_node("Cast", ["was"], ["mask"], to=TensorProto.INT64), "int64", [8, 12]),
        ("probability", helper.make_node("Cast", ["was"], ["probability"], to=10), "float16", [8, 12]),
        ("confidence", helper.make_node("Transpose", ["was"], ["confidence"]), "uint8", [12, 8]),
        ("mask", helper.make_node("Concat", ["was", "was"], ["mask"], axis=0), "uint8", [16, 12]),
        ("mask", helper.make_node("Unsqueeze", ["was", "red"], ["mask"]), "uint8", [1, 8, 12]),
    ],
)
def test_output_of_wrong_type_or_shape(
    tmp_path: Path, name: str, node: onnx.NodeProto, dtype: str, shape: list[int]
) -> None:
    model = tiny_model.build(8, 12, tiny_model.card(8, 12).to_json())
    for before in model.graph.node:
        before.output[:] = ["was" if output == name else output for output in before.output]
        before.input[:] = ["was" if tensor == name else tensor for tensor in before.input]
    model.graph.node.append(node)
    for info in model.graph.output:
        if info.name == name:
            elem_type = TensorProto.DataType.Value(dtype.upper())
            info.CopyFrom(helper.make_tensor_value_info(name, elem_type, shape))
    onnx.save(model, str(tmp_path / "wrong.onnx"))
    assert f"tensor {name!r} is tensor({dtype}) {shape}" in error_of(tmp_path / "wrong.onnx")


def test_size_left_open(tmp_path: Path) -> None:
    onnx.save(tiny_model.build("height", 12, tiny_model.card(8, 12).to_json()), str(tmp_path / "open.onnx"))
    assert "'image' is tensor(uint8) ['height', 12, 3]" in error_of(tmp_path / "open.onnx")


def test_a_failing_run_is_an_engine_error(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(model, "cpu")
    monkeypatch.setattr(engine, "size", (39, 64))  # binds an image of the wrong size
    with pytest.raises(EngineError, match=r"tiny\.onnx: running the network failed"):
        engine.segment(random_image(39, 64))


def test_arrays_are_written_where_the_caller_says(model: Path) -> None:
    engine, image = Engine(model, "cpu"), random_image(40, 64)
    out = Prediction.empty((40, 64), probability=True)
    mask, confidence = tiny_model.expected(image)
    assert engine.segment(image, out=out) is out
    np.testing.assert_array_equal(out.mask, mask)
    np.testing.assert_array_equal(out.confidence, confidence)
    assert out.probability is not None
    np.testing.assert_allclose(out.probability, confidence / 255, rtol=1e-6)


def test_smaller_arrays_are_sampled_at_the_middle_of_their_pixels(model: Path) -> None:
    image = random_image(40, 64)
    found = Engine(model, "cpu").segment(image, out=Prediction.empty((8, 64 // 4)))
    rows, columns = (np.arange(8) + 0.5) * 5, (np.arange(16) + 0.5) * 4
    for small, whole in zip((found.mask, found.confidence), tiny_model.expected(image), strict=True):
        np.testing.assert_array_equal(small, whole[np.ix_(rows.astype(int), columns.astype(int))])


@pytest.mark.parametrize("wrong", ["gaps", "read-only", "type", "shapes"])
def test_arrays_that_cannot_be_written_to_are_refused(model: Path, wrong: str) -> None:
    maps = {name: np.zeros_like(array) for name, array in Prediction.empty((40, 64), True).arrays().items()}
    if wrong == "gaps":
        maps["confidence"] = np.empty((40, 128), np.uint8)[:, ::2]
    elif wrong == "read-only":
        maps["mask"].flags.writeable = False
    elif wrong == "type":
        maps["probability"] = maps["probability"].astype(np.float64)
    else:
        maps["confidence"] = maps["confidence"][:20]
    with pytest.raises(ValueError, match="must be a writable, contiguous"):
        Engine(model, "cpu").segment(
            random_image(40, 64), out=Prediction(maps["mask"], maps["confidence"], maps["probability"])
        )


@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("size", [(40, 64), (37, 90)])
def test_blue_green_red(tmp_path: Path, channels: bool, size: tuple[int, int]) -> None:
    engine = Engine(tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64, channels=channels), "cpu")
    image = random_image(*size)
    wanted = engine.segment(image, probability=True)
    found = engine.segment(image[..., ::-1].copy(), probability=True, bgr=True)
    again = engine.segment(image, probability=True)  # the order of one run is not that of the next
    for answer in (found, again):
        for name, array in answer.arrays().items():
            np.testing.assert_array_equal(array, wanted.arrays()[name])


def test_a_file_of_open_size_follows_the_image(tmp_path: Path) -> None:
    engine = Engine(tiny_model.write_tiny_model(tmp_path / "open.onnx", 40, 64, dynamic=True), "cpu")
    assert engine.dynamic
    assert engine.size == (40, 64)
    engine.warm_up()
    for size in ((40, 64), (33, 71), (5, 3)):
        image = random_image(*size)
        found = engine.segment(image)
        for array, wanted in zip((found.mask, found.confidence), tiny_model.expected(image), strict=True):
            np.testing.assert_array_equal(array, wanted)


def test_opened_again_after_a_failure(model: Path, tmp_path: Path) -> None:
    path = shutil.copy(model, tmp_path / "copy.onnx")
    engine, image = Engine(path, "cpu"), random_image(40, 64)
    assert engine.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    engine.reopen()
    np.testing.assert_array_equal(engine.segment(image).mask, tiny_model.expected(image)[0])
    tiny_model.write_tiny_model(path, 40, 64, name="another")
    with pytest.raises(EngineError, match=r"copy\.onnx has changed since it was opened"):
        engine.reopen()
    Path(path).write_bytes(b"garbage")
    with pytest.raises(EngineError, match=r"copy\.onnx: not a readable ONNX file"):
        engine.reopen()


def test_whatever_fails_on_opening_is_an_engine_error(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(model, "cpu")

    def no_memory(*_: object) -> None:
        raise RuntimeError("out of memory\nat some line")

    monkeypatch.setattr("kd_seg_ros.inference.opening.HostBinding", no_memory)
    with pytest.raises(EngineError, match=r"tiny.onnx: out of memory$"):
        engine.reopen()


def test_cuda_graph_needs_cuda(model: Path) -> None:
    with pytest.raises(EngineError, match="a CUDA graph needs provider 'cuda'"):
        Engine(model, "cpu", cuda_graph=True)
