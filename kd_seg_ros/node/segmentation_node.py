"""The ROS 2 node: camera images in, class masks and confidence out.

There are three kinds of threads. The executor's thread takes messages and service calls, and runs two timers:
one watches who listens and which cameras publish, the other reports on ``/diagnostics``. It never waits for
the network: a new image goes into a mailbox of one slot. The worker (:mod:`kd_seg_ros.node.worker`) takes it
from there and publishes mask and confidence. Pictures for people (:mod:`kd_seg_ros.node.outputs`) are made in
threads after that.

A frame that cannot be used is dropped, counted and reported; the node lives on. It ends when the network
fails for good.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import get_rmw_implementation_identifier, remove_ros_args
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.fast_dds import large_image_remedy
from kd_seg_ros.common.parser import Parser
from kd_seg_ros.common.share import share_path
from kd_seg_ros.common.topics import SET_ENABLED
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.node.camera import CameraSubscription
from kd_seg_ros.node.diagnostics import Activity, Limits, State, assess, values
from kd_seg_ros.node.diagnostics_publisher import DiagnosticsPublisher
from kd_seg_ros.node.memory import resident_mb
from kd_seg_ros.node.outputs import Outputs
from kd_seg_ros.node.parameters import declare_parameters
from kd_seg_ros.node.qos import refuse_unused_overrides
from kd_seg_ros.node.ros_log_handler import forward_logs
from kd_seg_ros.node.threshold_parameters import ThresholdParameters
from kd_seg_ros.node.worker import SegmentationWorker

DEMO_MODEL: Final = "resource/demo_student.onnx"
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
WATCH_PERIOD_S: Final = 0.25
"""Seconds between two looks at who listens and which cameras publish."""


class SegmentationNode(Node):
    """Segments the newest camera image, again and again."""

    def __init__(self) -> None:
        """Open the model and all topics; the worker runs from here on.

        :raises UserError: for a parameter or a model that cannot be used.
        """
        super().__init__("segmentation")
        forward_logs(self.get_logger())
        self._settings = declare_parameters(self)
        refuse_unused_overrides(self)
        model = self._settings.model
        self._model = Path(model).expanduser() if model else share_path(DEMO_MODEL)
        graph = None if self._settings.cuda_graph else False  # None: wherever it is possible
        self._engine = Engine(self._model, self._settings.provider, cuda_graph=graph)
        thresholds = ThresholdParameters(self, self._engine.card)
        self._engine.warm_up()

        self._enabled = True
        self._last_image = time.monotonic()
        self._outputs = Outputs(self, self._settings, self._engine.card.palette)
        self._camera = CameraSubscription(
            self,
            self._on_image,
            compressed=self._settings.compressed,
            reliability=self._settings.reliability,
            with_info=self._settings.follows_camera_info(),
        )
        self._worker = SegmentationWorker(
            self, self._settings, self._engine, thresholds, self._outputs, self._camera, self._give_up
        )
        self.create_service(SetBool, SET_ENABLED, self._set_enabled)

        self._reported = self._worker.statistics.summary()
        self._lost = 0
        self._diagnostics = DiagnosticsPublisher(self, self._engine.provider, self._report)
        wall = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self.create_timer(self._settings.period_s, self._diagnostics.publish, clock=wall)
        self.create_timer(WATCH_PERIOD_S, self._watch, clock=wall)
        self._watch()
        # Last, since whatever fails above (a signal may end ROS at any moment) must leave no threads running.
        self._outputs.start()
        self._worker.start()
        network = f"{self._engine.card.name!r} on {self._engine.provider}"
        self.get_logger().info(f"ready: model {network}, images from {self._camera.topic}")

    @property
    def failure(self) -> str:
        """Why the node has ended without being asked to; empty if it has not."""
        recovery = self._worker.recovery
        return recovery.trouble if recovery.given_up else ""

    def idleness(self) -> str:
        """Say why no frame has been segmented since the start; empty if one has."""
        totals = self._worker.statistics.summary().totals
        if totals.get("published"):
            return ""
        if totals.get("received"):
            counts = ", ".join(f"{count} {event}" for event, count in totals.items())
            return f"no frame was segmented of the images on {self._camera.topic}: {counts}"
        if self._camera.subscribed:
            return f"no frame was segmented: no image came on {self._camera.topic}"
        return (
            "no frame was segmented: nobody listens to an output, and the node works only then "
            "(active:=always: on every image)"
        )

    def stop(self) -> None:
        """End the threads after the frame they are busy with."""
        self._worker.stop()
        self._outputs.stop()
        forward_logs(None)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._last_image = time.monotonic()
        if self._enabled:
            self._worker.give(message, self._last_image)
        else:
            self._worker.statistics.count("paused")

    def _watch(self) -> None:
        """Subscribe to the camera or leave it, as listeners and publishers come and go."""
        wanted = self._settings.active == "always" or self._outputs.wanted()
        if wanted and not self._camera.subscribed:
            self._last_image = time.monotonic()
        self._camera.update(wanted)

    def _set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data and not self._enabled:
            self._last_image = time.monotonic()
        self._enabled = request.data
        response.success = True
        response.message = "segmenting" if request.data else "paused; the network stays loaded"
        return response

    def _activity(self) -> Activity:
        if not self._enabled:
            return Activity.PAUSED
        return Activity.RUNNING if self._camera.subscribed else Activity.IDLE

    def _report(self) -> tuple[bytes, str, dict[str, str]]:
        """Return level, message and values for ``/diagnostics``."""
        worker = self._worker
        state = State(
            activity=self._activity(),
            topic=self._camera.topic,
            publishers=self._camera.publishers(),
            obstacle=self._camera.obstacle(),
            remedy=large_image_remedy(get_rmw_implementation_identifier(), os.environ),
            silence_s=time.monotonic() - self._last_image,
            lost=self._camera.lost,
            lost_before=self._lost,
            trouble=worker.recovery.trouble,
            provider=self._engine.provider,
            card=self._engine.card,
            model=str(self._model),
            sha256=self._engine.sha256,
            memory_mb=resident_mb(),
            now=worker.statistics.summary(),
            before=self._reported,
            drift=worker.drift.state() if worker.drift else None,
        )
        self._reported, self._lost = state.now, state.lost
        names = ("max_processing_time_ms", "max_image_age_ms", "no_image_timeout_s")
        limits = Limits(*(float(self.get_parameter(f"diagnostics.{name}").value) for name in names))
        return *assess(state, limits), values(state)

    def _give_up(self) -> None:
        """End the node, after a last report; called in the worker's thread."""
        self._diagnostics.publish()
        self.context.try_shutdown()  # ends main()


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM.

    :return: 0; 2 for a mistake in what the user gave; 1 if the network fails for good, or if no frame was
        segmented with ``--expect-frames``.
    """
    parser = Parser(
        "segmentation_node",
        "Segment camera images. Parameters and topics are set in the usual ROS 2 way, after "
        "--ros-args; see config/segmentation.yaml and launch/segment.launch.py.",
        quiet=False,
    )
    parser.add_argument(
        "--expect-frames",
        action="store_true",
        help="end with status 1 if no frame has been segmented: for a replayed bag",
    )
    # rclpy's own handler ends the node. If Python's ran after it, Ctrl-C would raise KeyboardInterrupt
    # wherever the program is, and a second signal (launch sends one after the terminal's) would break the
    # clean-up. Signals that come before rclpy listens wait until it does.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        options = parser.read(remove_ros_args(sys.argv if args is None else args)[1:])
        rclpy.init(args=args)
    except (UserError, RuntimeError) as error:  # RuntimeError: what follows --ros-args is wrong
        return _refuse(error)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        return _run(options.expect_frames)
    except Exception as error:
        if not rclpy.ok():
            return 0  # told to stop, perhaps while still starting
        if isinstance(error, (UserError, ParameterException)):  # rclpy's: use_sim_time, which is its own
            return _refuse(error)
        raise
    finally:
        rclpy.try_shutdown()


def _run(expect_frames: bool) -> int:
    """Spin the node until it is told to stop; return the exit status.

    :param expect_frames: it is an error if no frame has been segmented until then.
    """
    executor = SingleThreadedExecutor()  # first: made after a signal, it would complain of its clean-up
    node = SegmentationNode()
    try:
        rclpy.spin(node, executor=executor)
    except Exception:
        if rclpy.ok():
            raise  # else it was told to stop
    finally:
        node.stop()
        node.destroy_node()
    trouble = node.failure or (node.idleness() if expect_frames else "")
    if trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 1
    return 0


def _refuse(error: Exception) -> int:
    print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
