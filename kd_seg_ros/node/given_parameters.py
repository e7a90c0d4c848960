"""All that a user gives a node by parameters, looked at before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node

from kd_seg_ros.node.parameter_declaration import declare_parameters
from kd_seg_ros.node.parameter_files import files_without
from kd_seg_ros.node.parameters import Parameters
from kd_seg_ros.node.qos_overrides import check_overrides


def given_parameters(node: Node, arguments: Sequence[str], fixed: bool = True) -> Parameters:
    """Declare the parameters, and warn of what was given and is not for this node.

    :param arguments: the whole command line.
    :param fixed: parameters that are not live are read-only.
    :raises UserError: for a value or a name that is wrong.
    """
    for sentence in files_without(arguments, node.get_fully_qualified_name()):
        node.get_logger().warning(sentence)
    settings = declare_parameters(node, fixed)
    check_overrides(node)
    return settings
