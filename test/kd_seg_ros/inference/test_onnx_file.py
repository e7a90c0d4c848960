from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tiny_model
from onnx import TensorProto, helper, numpy_helper

from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.onnx_file import read_onnx_file


def refusal(path: Path) -> str:
    with pytest.raises(EngineError) as caught:
        read_onnx_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def write(path: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    """Write the tiny model after a change; whatever its card says of it."""
    model = tiny_model.build(40, 64, tiny_model.card(40, 64).to_json())
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def test_content_and_what_is_known_of_it(tmp_path: Path) -> None:
    path = tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64)
    file = read_onnx_file(path)
    assert file.content == path.read_bytes()
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.text("kd_seg_ros.card") == onnx.load(path).metadata_props[0].value
    assert file.text("other") is None
    assert not file.open_size
    assert read_onnx_file(tiny_model.write_tiny_model(path, 40, 64, dynamic=True)).open_size


def external(tensor: TensorProto, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "beside.bin", "*/_ORT_MEM_ADDR_/*"])
def test_weights_in_another_file(tmp_path: Path, location: str) -> None:
    """The last one would be an address in this process' memory."""
    path = write(tmp_path / "a.onnx", lambda model: external(model.graph.initializer[0], location))
    assert "'channels' lies in another file; a model file must hold all its weights" in refusal(path)


def constant_node(model: onnx.ModelProto) -> TensorProto:
    node = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(2), "c"))
    model.graph.node.insert(0, node)
    return model.graph.node[0].attribute[0].t


def branch(model: onnx.ModelProto) -> TensorProto:
    """Put a graph into an attribute of a node, with a constant in it."""
    inner = helper.make_graph([], "inner", [], [], [numpy_helper.from_array(np.zeros(2), "w")])
    node = helper.make_node("If", ["c"], ["d"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)
    return model.graph.node[-1].attribute[1].g.initializer[0]


def function(model: onnx.ModelProto) -> TensorProto:
    body = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(2), "c"))
    model.functions.append(helper.make_function("d", "F", [], ["c"], [body], []))
    return model.functions[0].node[0].attribute[0].t


def sparse(model: onnx.ModelProto) -> TensorProto:
    tensors = (
        numpy_helper.from_array(np.zeros(2, np.float32), "s"),
        numpy_helper.from_array(np.arange(2), "i"),
    )
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(*tensors, [100]))
    return model.graph.sparse_initializer[0].values


@pytest.mark.parametrize("place", [constant_node, branch, function, sparse])
def test_weights_in_another_file_wherever_the_tensor_is(
    tmp_path: Path, place: Callable[[onnx.ModelProto], TensorProto]
) -> None:
    path = write(tmp_path / "a.onnx", lambda model: external(place(model), "../x"))
    assert "lies in another file" in refusal(path)
    assert read_onnx_file(write(tmp_path / "b.onnx", place)).metadata


def test_a_network_compiled_for_a_device(tmp_path: Path) -> None:
    node = helper.make_node("EPContext", [], ["c"], domain="com.microsoft", ep_cache_context="../engine.bin")
    path = write(tmp_path / "a.onnx", lambda model: model.graph.node.append(node))
    assert "compiled for one device" in refusal(path)


@pytest.mark.parametrize(
    ("dims", "content", "message"),
    [
        ([1 << 40], {"raw_data": b"\0" * 8}, "needs 4398046511104 bytes, but the file holds 8"),
        ([1 << 62, 1 << 62], {"raw_data": b""}, "but the file holds 0"),
        ([3], {"raw_data": b"\0" * 16}, "needs 12 bytes, but the file holds 16"),
        ([-1], {"raw_data": b"\0" * 4}, "has a negative side"),
        ([1 << 40], {"float_data": [0.0]}, "claims more elements than the file holds bytes"),
        ([1 << 40], {}, "claims more elements than the file holds bytes"),
    ],
)
def test_a_tensor_that_claims_more_than_the_file_holds(
    tmp_path: Path, dims: list[int], content: dict[str, Any], message: str
) -> None:
    tensor = TensorProto(name="w", dims=dims, data_type=TensorProto.FLOAT, **content)
    path = write(tmp_path / "a.onnx", lambda model: model.graph.initializer.append(tensor))
    assert message in refusal(path)


@pytest.mark.parametrize("number", sorted(onnx.TensorProto.DataType.values())[1:])
def test_tensors_of_every_type(tmp_path: Path, number: int) -> None:
    if number in (TensorProto.STRING, TensorProto.UNDEFINED):
        tensor = TensorProto(name="w", dims=[2], data_type=number, string_data=[b"a", b""])
    else:
        dtype = helper.tensor_dtype_to_np_dtype(number)
        tensor = numpy_helper.from_array(np.zeros((3, 4), dtype), "w")
        assert tensor.data_type == number
    path = write(tmp_path / "a.onnx", lambda model: model.graph.initializer.append(tensor))
    assert read_onnx_file(path).metadata


def test_a_sparse_tensor_of_enormous_shape(tmp_path: Path) -> None:
    def add(model: onnx.ModelProto) -> None:
        sparse(model)
        model.graph.sparse_initializer[0].dims[:] = [1 << 20, 1 << 20]

    assert "would take too much memory" in refusal(write(tmp_path / "a.onnx", add))


def test_a_card_that_is_there_twice(tmp_path: Path) -> None:
    """Readers take the first or the last of them."""
    path = write(tmp_path / "a.onnx", lambda model: model.metadata_props.append(model.metadata_props[0]))
    assert "two entries 'kd_seg_ros.card'" in refusal(path)


def test_graphs_in_graphs_without_end(tmp_path: Path) -> None:
    def add(model: onnx.ModelProto) -> None:
        inner = helper.make_graph([], "inner", [], [])
        for _ in range(30):
            node = helper.make_node("If", ["c"], ["d"], then_branch=inner)
            inner = helper.make_graph([node], "inner", [], [])
        model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=inner))

    assert "levels deep" in refusal(write(tmp_path / "a.onnx", add))


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    assert refusal(path) == "no such model file"
    assert refusal(tmp_path) == "this is not a file"
    path.write_bytes(b"")
    assert "not a readable ONNX file" in refusal(path)
    path.write_bytes(b"\x08\x0a\x12\x03onx")
    assert "not a readable ONNX file (damaged, cut short or of another kind): it holds no graph" in refusal(
        path
    )


def test_a_file_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    path.touch()
    os.truncate(path, 3 << 30)  # a hole: it takes no room
    monkeypatch.setattr(Path, "read_bytes", None)
    assert "a model file of 3.2 GB" in refusal(path)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64).read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(EngineError):
            Engine(path, "cpu")
