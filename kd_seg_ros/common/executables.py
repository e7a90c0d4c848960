# PYTHON_ARGCOMPLETE_OK
"""What ``ros2 run`` starts of the vehicle half.

Each function imports its program only when it is called, so that a package that is missing ends it in one
line. ``setup.py`` names them; those of the offline half are in ``distill/__main__.py``.
"""

from __future__ import annotations

import importlib
import signal
from functools import partial

from kd_seg_ros.common.command_line import end_cleanly, run_command
from kd_seg_ros.common.node_command import MODULE


def segmentation_node() -> int:
    """Run the node; return its exit status."""
    return end_cleanly("segmentation_node", partial(_node, MODULE))


def cameras_node() -> int:
    """Run a segmentation node per camera, all in this process; return its exit status."""
    return end_cleanly("cameras_node", partial(_node, "kd_seg_ros.cameras.cameras_node"))


def points_node() -> int:
    """Run the node that gives classes to the points of a depth camera; return its exit status."""
    return end_cleanly("points_node", partial(_node, "kd_seg_ros.clouds.points_node"))


def ground_node() -> int:
    """Run the node that shows the ground from above; return its exit status."""
    return end_cleanly("ground_node", partial(_node, "kd_seg_ros.clouds.ground_node"))


def autoware_node() -> int:
    """Run the node that publishes masks as Autoware reads them; return its exit status."""
    return end_cleanly("autoware_node", partial(_node, "kd_seg_ros.clouds.autoware_node"))


def play_bag() -> int:
    """Publish the topics of a bag; return the exit status."""
    return run_command("play_bag", "", "kd_seg_ros.playback.play_bag")


def _node(module: str) -> int:
    # The imports take seconds. A signal that ends them would leave a KeyboardInterrupt, so it waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    program = importlib.import_module(module)
    if signal.sigpending() & {signal.SIGINT, signal.SIGTERM}:
        return 0  # told to end while still starting
    return int(program.main())
