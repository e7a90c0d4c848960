# PYTHON_ARGCOMPLETE_OK
"""What ``ros2 run`` starts of the vehicle half.

Each function imports its program only when it is called, so that a package that is missing ends it in one
line. ``setup.py`` names them; those of the offline half are in ``distill/__main__.py``.
"""

from __future__ import annotations

import importlib
import signal

from kd_seg_ros.common.command_line import end_cleanly, run_command
from kd_seg_ros.common.node_command import MODULE


def segmentation_node() -> int:
    """Run the node; return its exit status."""
    return end_cleanly("segmentation_node", _node)


def play_bag() -> int:
    """Publish the topics of a bag; return the exit status."""
    return run_command("play_bag", "", "kd_seg_ros.playback.play_bag")


def _node() -> int:
    # The imports take seconds. A signal that ends them would leave a KeyboardInterrupt, so it waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    program = importlib.import_module(MODULE)
    if signal.sigpending() & {signal.SIGINT, signal.SIGTERM}:
        return 0  # told to end while still starting
    return int(program.main())
