"""The ROS 2 node: camera images in, class masks and confidence out.

The executor's thread stores each new message in a one-slot mailbox and returns; one worker thread takes the
newest, decodes it, runs the network and publishes; pictures for people are made by threads of their own. A
timer watches who listens and which cameras publish, another reports on ``/diagnostics``. A frame that cannot
be used is dropped, counted and warned about; the node lives on. It ends when the network fails for good.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Final

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import get_rmw_implementation_identifier, remove_ros_args
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool

from kd_seg_ros.common.decode import DecodeError, view_compressed, view_image
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.fast_dds import large_image_remedy
from kd_seg_ros.common.share import share_path
from kd_seg_ros.inference.drift import DriftMonitor
from kd_seg_ros.inference.engine import Engine, EngineError
from kd_seg_ros.inference.thresholds import apply_min_confidence
from kd_seg_ros.node.camera import CameraSubscription
from kd_seg_ros.node.diagnostics import Activity, Limits, State, assess, values
from kd_seg_ros.node.diagnostics_publisher import DiagnosticsPublisher
from kd_seg_ros.node.frame_statistics import FrameStatistics
from kd_seg_ros.node.mailbox import Mailbox
from kd_seg_ros.node.memory import resident_mb
from kd_seg_ros.node.outputs import TOPICS, Outputs
from kd_seg_ros.node.parameters import declare_parameters
from kd_seg_ros.node.qos import refuse_unused_overrides
from kd_seg_ros.node.recovery import Recovery
from kd_seg_ros.node.threshold_parameters import ThresholdParameters

DEMO_MODEL: Final = "resource/demo_student.onnx"
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
WATCH_PERIOD_S: Final = 0.25
WARNING_PERIOD_S: Final = 5.0
FULL: Final = "full"
"""Of the card's scores: all conditions pooled."""


class SegmentationNode(Node):
    """Segments the newest camera image, over and over."""

    def __init__(self) -> None:
        """Open the model and all topics; the worker runs from here on.

        :raises UserError: for a parameter or a model that cannot be used.
        """
        super().__init__("segmentation")
        self._settings = declare_parameters(self)
        refuse_unused_overrides(self, [f"segmentation/{topic}" for topic in TOPICS])
        model = self._settings.model
        self._model = Path(model).expanduser() if model else share_path(DEMO_MODEL)
        self._engine = Engine(self._model, self._settings.provider, cuda_graph=self._settings.cuda_graph)
        self._thresholds = ThresholdParameters(self, self._engine.card)
        self._engine.warm_up()
        self._recovery = Recovery(self._engine, lambda line: self.get_logger().error(line))
        self._statistics = FrameStatistics()
        self._drift = self._watch_drift()
        self._enabled = True
        self._last_image = time.monotonic()

        self._outputs = Outputs(self, self._settings, self._engine.card.palette)
        self._mailbox: Mailbox[tuple[float, Image | CompressedImage]] = Mailbox()
        self._worker = Thread(target=self._work, name="worker")
        self._camera = CameraSubscription(
            self,
            self._on_image,
            compressed=self._settings.compressed,
            reliability=self._settings.reliability,
            with_info=self._settings.output_scale < 1,
        )
        self.create_service(SetBool, "segmentation/set_enabled", self._set_enabled)
        self._reported = self._statistics.summary()
        self._lost = 0
        self._diagnostics = DiagnosticsPublisher(self, self._engine.provider, self._report)
        wall = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self.create_timer(self._settings.period_s, self._diagnostics.publish, clock=wall)
        self.create_timer(WATCH_PERIOD_S, self._watch, clock=wall)
        self._watch()
        # Last, since whatever fails above (a signal may end ROS at any moment) must not leave threads behind.
        self._outputs.start()
        self._worker.start()
        network = f"{self._engine.card.name!r} on {self._engine.provider}"
        self.get_logger().info(f"ready: model {network}, images from {self._camera.topic}")

    @property
    def failure(self) -> str:
        """Why the node has ended by itself; empty if it has not."""
        return self._recovery.trouble if self._recovery.given_up else ""

    def stop(self) -> None:
        """End the threads after the frame they are busy with."""
        self._recovery.stop()
        self._mailbox.close()
        self._worker.join()
        self._outputs.stop()

    def _watch_drift(self) -> DriftMonitor | None:
        """Watch the confidence, if the model's card says what calibration saw."""
        card = self._engine.card
        if FULL not in card.reliability or FULL not in card.expected_accuracy:
            return None
        return DriftMonitor(card.reliability[FULL], card.expected_accuracy[FULL], self._settings.drift_window)

    # The executor's thread

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._last_image = time.monotonic()
        if not self._enabled:
            self._statistics.count("paused")
            return
        self._statistics.count("received")
        if self._mailbox.put((self._last_image, message)):
            self._statistics.count("overwritten")

    def _watch(self) -> None:
        """Subscribe to the camera or leave it, as listeners and publishers come and go."""
        wanted = self._settings.active == "always" or self._outputs.listened()
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
        state = State(
            activity=self._activity(),
            topic=self._camera.topic,
            publishers=self._camera.publishers(),
            obstacle=self._camera.obstacle(),
            remedy=large_image_remedy(get_rmw_implementation_identifier(), os.environ),
            silence_s=time.monotonic() - self._last_image,
            lost=self._camera.lost,
            lost_before=self._lost,
            trouble=self._recovery.trouble,
            provider=self._engine.provider,
            card=self._engine.card,
            model=str(self._model),
            sha256=self._engine.sha256,
            memory_mb=resident_mb(),
            now=self._statistics.summary(),
            before=self._reported,
            drift=self._drift.state() if self._drift else None,
        )
        self._reported, self._lost = state.now, state.lost
        names = ("max_processing_time_ms", "max_image_age_ms", "no_image_timeout_s")
        limits = Limits(*(float(self.get_parameter(f"diagnostics.{name}").value) for name in names))
        return *assess(state, limits), values(state)

    # The worker's thread

    def _work(self) -> None:
        while not self._recovery.given_up and (item := self._mailbox.take()) is not None:
            arrival, message = item
            try:
                self._process(arrival, message)
                self._recovery.worked()
            except DecodeError as error:
                self._statistics.count("rejected")
                self.get_logger().warning(f"frame dropped: {error}", throttle_duration_sec=WARNING_PERIOD_S)
            except EngineError as error:
                self._statistics.count("failed")
                self._recovery.failed(error)
            except Exception as error:
                if not self.context.ok():
                    return  # shut down while the frame was under way
                self._statistics.count("failed")
                reason = f"{type(error).__name__}: {error}"
                self.get_logger().error(f"frame lost: {reason}", throttle_duration_sec=WARNING_PERIOD_S)
        if self._recovery.given_up:
            self._diagnostics.publish()
            self.context.try_shutdown()  # ends main()

    def _process(self, arrival: float, message: Image | CompressedImage) -> None:
        start = time.monotonic()
        picture = view_compressed(message) if self._settings.compressed else view_image(message)
        size = picture.pixels.shape[:2]
        self._warn_of_resizing(size)
        decoded = time.monotonic()
        maps = self._outputs.buffers(size)
        self._engine.segment(picture.pixels, bgr=picture.bgr, out=maps)
        apply_min_confidence(maps.mask, maps.confidence, self._thresholds.levels, self._engine.card.ignore_id)
        inferred = time.monotonic()
        self._outputs.publish(message.header, self._camera.info)
        published = time.monotonic()
        self._record(message.header, arrival, [start, decoded, inferred, published])
        self._outputs.publish_on_demand(message.header, picture)
        if self._drift:
            self._drift.add(maps.confidence)

    def _warn_of_resizing(self, size: tuple[int, int]) -> None:
        if self._engine.dynamic or size == self._engine.size:
            return
        wanted = "×".join(map(str, self._engine.size[::-1]))
        self.get_logger().warning(
            f"images of {size[1]}×{size[0]} are resized to the model's {wanted} and the results back: "
            "export the model for the camera's size",
            once=True,
        )

    def _record(self, header: Header, arrival: float, moments: list[float]) -> None:
        self._statistics.count("published")
        start, decoded, inferred, published = moments
        self._statistics.record("decode_ms", 1e3 * (decoded - start))
        self._statistics.record("inference_ms", 1e3 * (inferred - decoded))
        self._statistics.record("publish_ms", 1e3 * (published - inferred))
        self._statistics.record("latency_ms", 1e3 * (published - arrival))
        stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
        if stamp:  # 0: the camera does not say
            age = (self.get_clock().now().nanoseconds - stamp) * 1e-6
            self._statistics.record("image_age_ms", max(age, 0.0))  # time jumps back when a bag loops


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM.

    :return: 0; 2 for a mistake in what the user gave; 1 if the network fails for good.
    """
    parser = argparse.ArgumentParser(
        description="Segment camera images. Parameters and topics are set in the usual ROS 2 way, after "
        "--ros-args; see config/segmentation.yaml and launch/segment.launch.py."
    )
    # rclpy's own handler ends the node. With Python's behind it, Ctrl-C would raise KeyboardInterrupt
    # wherever the program is, and a second signal (launch sends one beside the terminal's) would break the
    # clean-up. What comes before rclpy listens waits for that.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        parser.parse_args(remove_ros_args(sys.argv if args is None else args)[1:])
        rclpy.init(args=args)
    except RuntimeError as error:  # what follows --ros-args is wrong
        return _refuse(error)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        return _run()
    except Exception as error:
        if not rclpy.ok():
            return 0  # told to stop, perhaps while still starting
        if isinstance(error, (UserError, ParameterException)):  # rclpy's: use_sim_time, which is its own
            return _refuse(error)
        raise
    finally:
        rclpy.try_shutdown()


def _run() -> int:
    executor = SingleThreadedExecutor()  # first: made after a signal, it would complain of its own clean-up
    node = SegmentationNode()
    try:
        rclpy.spin(node, executor=executor)
    except Exception:
        if rclpy.ok():
            raise  # else it was told to stop
    finally:
        node.stop()
        node.destroy_node()
    if node.failure:
        print(f"error: {node.failure}", file=sys.stderr)
        return 1
    return 0


def _refuse(error: Exception) -> int:
    print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
