"""The command line that starts the segmentation node."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

MODULE: Final = "kd_seg_ros.node.segmentation_node"


def node_command(parameters: Mapping[str, object], remapping: Sequence[str] = ()) -> list[str]:
    """Return the arguments to Python that start the node.

    :param parameters: by name. ROS reads a value as YAML, of which JSON is a part.
    :param remapping: rules ``old:=new``; ``__ns:=/car`` sets the namespace.
    """
    command = ["-m", MODULE, "--ros-args"]
    for rule in remapping:
        command += ["-r", rule]
    for name, value in parameters.items():
        plain = value if isinstance(value, (bool, int, float)) else str(value)
        command += ["-p", f"{name}:={json.dumps(plain, ensure_ascii=False)}"]
    return command
