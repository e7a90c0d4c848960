from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_model
from onnx import TensorProto, helper, numpy_helper

from kd_seg_ros.common.long_calls import long_call
from kd_seg_ros.inference.digest import seal, to_be_sealed

PROGRAM = """
import sys, numpy as np
from kd_seg_ros.common import long_calls
from kd_seg_ros.inference.engine import Engine
long_calls.end_long_calls_on_signals(patience=0.2)
engine = Engine(sys.argv[1], "cpu")
print("running", flush=True)
engine.segment(np.zeros((*engine.size, 3), np.uint8))
print("ended by itself", flush=True)
"""


def endless_model(path: Path) -> Path:
    """Write a file that adds numbers for ever before it answers."""
    card = to_be_sealed(tiny_model.card(8, 12))
    model = tiny_model.build(8, 12, card.to_json())
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["again"]),
            helper.make_node("Add", ["number", "number"], ["sum"]),
        ],
        "body",
        [
            info("step", TensorProto.INT64, []),
            info("go_on", TensorProto.BOOL, []),
            info("number", TensorProto.FLOAT, []),
        ],
        [info("again", TensorProto.BOOL, []), info("sum", TensorProto.FLOAT, [])],
    )
    constants = {"steps": np.array(2**62), "first": np.array(True), "start": np.array(1, np.float32)}
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    loop = helper.make_node("Loop", [*constants], ["never"], body=body)
    model.graph.node.append(loop)
    model.graph.output.append(info("never", TensorProto.FLOAT, []))
    onnx.checker.check_model(model)
    path.write_bytes(seal(model.SerializeToString()))
    return path


def test_a_network_without_end_is_ended_by_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(endless_model(tmp_path / "endless.onnx"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        time.sleep(0.3)  # so that it is inside the network
        process.send_signal(signal.SIGINT)
        try:
            output, errors = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("it does not end")
    assert output == ""
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors or "terminate" in errors


def test_calls_that_have_ended_are_forgotten() -> None:
    ended: list[str] = []
    with pytest.raises(ValueError, match="inside"), long_call(lambda: ended.append("call")):
        raise ValueError("inside")
    with long_call(lambda: ended.append("another call")):
        pass
    assert not ended
