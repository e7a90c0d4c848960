"""How a session is opened on the CPU; which provider it is opened on is in test_providers.py."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_model
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.session import open_session
from kd_seg_ros.inference.session_start import with_casts
from kd_seg_ros.inference.settings import SessionSettings

CHANNELS = 16
"""ONNX Runtime's blocked layout needs a multiple of eight or sixteen."""
BOUNDS = {"low": 0, "high": 6}


@pytest.fixture
def half_precision(tmp_path: Path) -> Path:
    """Three convolutions in half precision with ReLU6 between, as MobileNets have them."""
    rng = np.random.default_rng(0)
    bounds = [numpy_helper.from_array(np.array(bound, np.float16), name) for name, bound in BOUNDS.items()]
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.1, (CHANNELS, CHANNELS, 3, 3)).astype(np.float16), f"w{i}")
        for i in range(3)
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["x0"], to=TensorProto.FLOAT16),
        helper.make_node("Conv", ["x0", "w0"], ["y0"], pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["y0", *BOUNDS], ["x1"]),
        helper.make_node("Conv", ["x1", "w1"], ["y1"], pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["y1", *BOUNDS], ["x2"]),
        helper.make_node("Conv", ["x2", "w2"], ["y2"], pads=[1, 1, 1, 1]),
        helper.make_node("Cast", ["y2"], ["map"], to=TensorProto.FLOAT),
    ]
    shape = [1, CHANNELS, 12, 20]
    graph = helper.make_graph(
        nodes,
        "half",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, shape)],
        [*bounds, *weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"card": "kept"})
    path = tmp_path / "half.onnx"
    onnx.save(model, path)
    return path


def test_activations_in_half_precision_become_part_of_their_convolutions(
    half_precision: Path, tmp_path: Path
) -> None:
    options = ort.SessionOptions()
    options.log_severity_level = 3  # it warns that the result is for this machine only
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    copy = with_casts(half_precision.read_bytes(), tmp_path)
    ort.InferenceSession(str(copy), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert kinds.count("Conv") == 3
    assert "Clip" not in kinds


@pytest.mark.parametrize("writable", [True, False])
def test_opens_with_or_without_room_for_a_copy(
    half_precision: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    scratch = tmp_path / "scratch"
    if writable:
        scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    session = open_session(read_onnx_file(half_precision), SessionSettings("cpu"), lambda _: False)
    assert session.get_modelmeta().custom_metadata_map == {"card": "kept"}
    image = np.random.default_rng(1).normal(size=(1, CHANNELS, 12, 20)).astype(np.float32)
    (expected,) = list(ReferenceEvaluator(str(half_precision)).run(None, {"image": image}))
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, atol=0.01)
    assert not writable or not list(scratch.iterdir())  # cleaned up


THREADS = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[2])})
from pathlib import Path
from kd_seg_ros.inference.engine import Engine
before = len(os.listdir("/proc/self/task"))
engine = Engine(sys.argv[1], "cpu", threads=int(sys.argv[3]))
engine.warm_up()
tasks = list(Path("/proc/self/task").iterdir())
texts = [(task / "status").read_text() for task in tasks]
print(len(tasks) - before, *sorted({text.split("Cpus_allowed_list:")[1].split()[0] for text in texts}))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning here")
@pytest.mark.parametrize(("threads", "added"), [(0, 0), (1, 0), (3, 2)])
def test_its_threads_stay_on_the_cores_of_the_process(tmp_path: Path, threads: int, added: int) -> None:
    """ONNX Runtime alone starts one for each core of the machine, tied to that core."""
    core = str(min(os.sched_getaffinity(0)))
    model = tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 40, 64)
    command = [sys.executable, "-c", THREADS, str(model), core, str(threads)]
    plain = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=True)
    # The calling thread computes as well: of one thread there is no other.
    assert done.stdout.split() == [str(added), core]
