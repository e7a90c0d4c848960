"""The frame of a ROS program: its command line, signals while it starts and ends, errors in one line."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.fast_dds import prepare_large_images
from kd_seg_ros.common.parser import Parser
from kd_seg_ros.common.shared_memory import remove_leftovers
from kd_seg_ros.node.signals import ForcedEnd, end_on_hangup

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run_program(
    parser: Parser, run: Callable[[argparse.Namespace, Sequence[str]], int], args: list[str] | None = None
) -> int:
    """Run a node's program until SIGINT, SIGTERM or SIGHUP.

    :param parser: of the program's own options, which stand before ``--ros-args``.
    :param run: makes the node and spins it; takes the options and the whole command line, and returns the
        exit status.
    :param args: the command line with the program's name; None: the process'.
    :return: what ``run`` returns; 0 if a signal came while the node was still starting; 2 for a mistake in
        what the user gave.
    """
    arguments = sys.argv if args is None else args
    # rclpy's own handler ends the node. If Python's ran after it, Ctrl-C would raise KeyboardInterrupt
    # wherever the program is, and a second signal (launch sends one after the terminal's) would break the
    # clean-up. Signals that come before rclpy listens wait until it does.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    end_on_hangup()
    try:
        options = parser.read(remove_ros_args(arguments)[1:])
        rclpy.init(args=args)
    except (UserError, RuntimeError) as error:  # RuntimeError: what follows --ros-args is wrong
        return _refuse(error)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    forced_end = ForcedEnd()
    try:
        return run(options, arguments)
    except Exception as error:
        if not rclpy.ok():
            return 0  # told to stop, perhaps while still starting
        if isinstance(error, (UserError, ParameterException)):  # rclpy's: use_sim_time, which is its own
            return _refuse(error)
        raise
    finally:
        rclpy.try_shutdown()
        # Python takes its handlers back when it ends: a second SIGHUP would then kill it on its last steps.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        forced_end.ended()


def prepare_machine() -> list[str]:
    """Prepare the machine for large images, before the first node is made; return what was done, in lines.

    Fast DDS gets shared memory that an image fits into, unless the user has chosen something else; what
    killed processes have left in ``/dev/shm`` is removed.
    """
    removed = remove_leftovers()
    lines = [prepare_large_images()]  # Fast DDS reads its settings when the first node is made
    if removed.segments:
        lines.append(
            f"removed from /dev/shm what {removed.segments} killed processes had left: "
            f"{removed.megabytes:.0f} MB"
        )
    return [line for line in lines if line]


def spin_until_told(nodes: Sequence[Node], executor: Executor, stop: Callable[[], None]) -> None:
    """Spin nodes in this thread until a signal, then end them.

    :param stop: ends the nodes' threads.
    """
    for node in nodes:
        executor.add_node(node)
    try:
        executor.spin()
    except Exception:
        if rclpy.ok():
            raise  # else it was told to stop
    finally:
        for node in nodes:
            executor.remove_node(node)
        stop()
        for node in nodes:
            node.destroy_node()


def _refuse(error: Exception) -> int:
    print(f"error: {first_line(error)}", file=sys.stderr)
    return 2
