from __future__ import annotations

import yaml

from kd_seg_ros.common.node_command import node_command


def test_values_reach_ros_as_they_are() -> None:
    parameters = {
        "model": "/my models/a: b.onnx",
        "compressed": True,
        "diagnostics.period_s": 0.5,
        "name": "7",
    }
    command = node_command(parameters, ["__ns:=/car", "image:=/front"])
    assert command[:3] == ["-m", "kd_seg_ros.node.segmentation_node", "--ros-args"]
    assert command[3:7] == ["-r", "__ns:=/car", "-r", "image:=/front"]
    read = {}
    for flag, rule in zip(command[7::2], command[8::2], strict=True):
        assert flag == "-p"
        name, _, value = rule.partition(":=")
        read[name] = yaml.safe_load(value)  # as rcl reads it
    assert read == parameters
