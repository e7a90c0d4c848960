"""The ROS 2 node: camera images in, class masks and confidence out.

Three parties share the work. The executor's thread stores each new message in a one-slot mailbox and
returns; one worker thread takes the newest, decodes it, runs the network and publishes; timers watch the
cameras' reliability and report on ``/diagnostics``. A frame that cannot be used is dropped, counted and
warned about; the node lives on.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Final

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from kd_seg_ros.abstain import abstain
from kd_seg_ros.decode import DecodeError, RGBImage, decode_compressed, decode_image
from kd_seg_ros.diagnostics import diagnostic_array
from kd_seg_ros.engine import Engine, Prediction
from kd_seg_ros.errors import UserError
from kd_seg_ros.frame_statistics import FrameStatistics
from kd_seg_ros.label_info import LabelInfoPublisher
from kd_seg_ros.mailbox import Mailbox
from kd_seg_ros.messages import image_message
from kd_seg_ros.overlay import blend
from kd_seg_ros.parameters import declare_parameters
from kd_seg_ros.qos import create_input, create_output, matching_reliability
from kd_seg_ros.share import share_path
from kd_seg_ros.trust import DriftWatch

DEMO_MODEL: Final = "resource/demo_student.onnx"
RELIABILITY_CHECK_S: Final = 0.25
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
        model = self._settings.model
        path = Path(model).expanduser() if model else share_path(DEMO_MODEL)
        self._engine = Engine(path, self._settings.provider)
        self._statistics = FrameStatistics()
        self._reported = self._statistics.summary()
        self._drift = self._watch_drift()

        self._mask = create_output(self, Image, "segmentation/mask")
        self._confidence = create_output(self, Image, "segmentation/confidence")
        self._overlay: Publisher | None = None
        if self._settings.overlay:
            self._overlay = create_output(self, Image, "segmentation/overlay")
        self._label_info: LabelInfoPublisher | None = None
        try:
            self._label_info = LabelInfoPublisher(self, self._engine.card)
        except ImportError:
            self.get_logger().warning("vision_msgs is not installed: no segmentation/label_info")
        self._threshold = self._announced_threshold()
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        wall = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self.create_timer(self._settings.diagnostics_period, self._report, clock=wall)

        self._mailbox: Mailbox[tuple[float, Image | CompressedImage]] = Mailbox()
        self._worker = Thread(target=self._work, name="worker")
        self._topic = self._image_topic()
        if self._settings.reliability == "auto":
            self._camera = self._subscribe(ReliabilityPolicy.RELIABLE)
            self.create_timer(RELIABILITY_CHECK_S, self._match_reliability, clock=wall)
        else:
            self._camera = self._subscribe(ReliabilityPolicy[self._settings.reliability.upper()])
        self._worker.start()
        network = f"{self._engine.card.name!r} on {self._engine.provider}"
        self.get_logger().info(f"ready: model {network}, images from {self._topic}")

    def stop(self) -> None:
        """End the worker after the frame it is busy with."""
        self._mailbox.close()
        self._worker.join()

    def _image_topic(self) -> str:
        """Full name of the image topic; remapping ``image`` moves ``image/compressed`` along with it."""
        topic = self.resolve_topic_name("image")
        return self.resolve_topic_name(f"{topic}/compressed") if self._settings.compressed else topic

    def _watch_drift(self) -> DriftWatch | None:
        """Watch the confidence, if the model's card says what calibration saw."""
        card = self._engine.card
        if FULL not in card.reliability or FULL not in card.expected_accuracy:
            return None
        return DriftWatch(card.reliability[FULL], card.expected_accuracy[FULL], self._settings.drift_window)

    # The executor's thread

    def _subscribe(self, reliability: ReliabilityPolicy) -> Subscription:
        return create_input(
            self,
            CompressedImage if self._settings.compressed else Image,
            self._topic,
            self._on_image,
            reliability,
            silent=self._settings.reliability == "auto",
        )

    def _match_reliability(self) -> None:
        """Subscribe anew if the present publishers call for another reliability."""
        publishers = self.get_publishers_info_by_topic(self._topic)
        wanted = matching_reliability(info.qos_profile.reliability for info in publishers)
        if wanted != self._camera.qos_profile.reliability:
            self.get_logger().info(f"{self._topic}: subscribing as {wanted.name}, like its publishers")
            self.destroy_subscription(self._camera)
            self._camera = self._subscribe(wanted)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._statistics.count("received")
        if self._mailbox.put((time.monotonic(), message)):
            self._statistics.count("overwritten")

    def _report(self) -> None:
        now, before = self._statistics.summary(), self._reported
        self._reported = now
        array = diagnostic_array(
            node=self.get_fully_qualified_name(),
            stamp=self.get_clock().now().to_msg(),
            topic=self._topic,
            provider=self._engine.provider,
            card=self._engine.card,
            now=now,
            before=before,
            drift=self._drift.state() if self._drift else None,
        )
        self._diagnostics.publish(array)

    # The worker's thread

    def _work(self) -> None:
        while (item := self._mailbox.take()) is not None:
            arrival, message = item
            try:
                self._process(arrival, message)
            except DecodeError as error:
                self._statistics.count("rejected")
                self.get_logger().warning(f"frame dropped: {error}", throttle_duration_sec=WARNING_PERIOD_S)
            except Exception as error:
                if not self.context.ok():
                    return  # shut down while the frame was under way
                self._statistics.count("failed")
                reason = f"{type(error).__name__}: {error}"
                self.get_logger().error(f"frame lost: {reason}", throttle_duration_sec=WARNING_PERIOD_S)

    def _process(self, arrival: float, message: Image | CompressedImage) -> None:
        start = time.monotonic()
        image = decode_compressed(message) if self._settings.compressed else decode_image(message)
        if image.shape[:2] != self._engine.size:
            wanted = "×".join(map(str, self._engine.size[::-1]))
            self.get_logger().warning(
                f"images of {image.shape[1]}×{image.shape[0]} are resized to the model's {wanted} and the "
                "results back: export the model for the camera's size",
                once=True,
            )
        decoded = time.monotonic()
        as_float = self._settings.confidence_encoding == "32FC1"
        prediction = self._confident(self._engine.segment(image, probability=as_float))
        inferred = time.monotonic()
        self._publish(message.header, prediction)
        published = time.monotonic()
        self._record(message.header, arrival, [start, decoded, inferred, published])
        if self._drift:
            self._drift.add(prediction.confidence)
        self._publish_overlay(message.header, image, prediction)

    def _confident(self, prediction: Prediction) -> Prediction:
        """Take the class from pixels of too low a confidence."""
        if self.get_parameter("min_confidence").value != self._threshold:
            self._threshold = self._announced_threshold()
        mask = abstain(prediction.mask, prediction.confidence, self._threshold, self._engine.card.ignore_id)
        return replace(prediction, mask=mask)

    def _announced_threshold(self) -> float:
        """Return the present ``min_confidence``, after telling it to the readers of label_info."""
        threshold = float(self.get_parameter("min_confidence").value)
        if self._label_info:
            self._label_info.publish(threshold)
        return threshold

    def _publish(self, header: Header, prediction: Prediction) -> None:
        self._mask.publish(image_message(header, prediction.mask))
        confidence = prediction.confidence if prediction.probability is None else prediction.probability
        self._confidence.publish(image_message(header, confidence))

    def _publish_overlay(self, header: Header, image: RGBImage, prediction: Prediction) -> None:
        if self._overlay is None or not self._overlay.get_subscription_count():
            return
        alpha = self.get_parameter("overlay_alpha").value
        picture = blend(image, prediction.mask, self._engine.card.palette, alpha)
        self._overlay.publish(image_message(header, picture[..., ::-1]))

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
    """Run the node until SIGINT or SIGTERM; return 0, or 2 for a mistake in what the user gave."""
    parser = argparse.ArgumentParser(
        description="Segment camera images. Parameters and topics are set in the usual ROS 2 way, after "
        "--ros-args; see config/segmentation.yaml and launch/segment.launch.py."
    )
    # rclpy's own handler ends the node. With Python's behind it, Ctrl-C would raise KeyboardInterrupt
    # wherever the program is, and a second one (launch sends it beside the terminal's) break the clean-up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        parser.parse_args(remove_ros_args(sys.argv if args is None else args)[1:])
        rclpy.init(args=args)
    except RuntimeError as error:  # what follows --ros-args is wrong
        return _refuse(error)
    try:
        node = SegmentationNode()
        try:
            rclpy.spin(node, executor=SingleThreadedExecutor())
        finally:
            node.stop()
            node.destroy_node()
    except Exception as error:
        if not rclpy.ok():
            return 0  # told to stop, perhaps while still starting
        if isinstance(error, UserError):
            return _refuse(error)
        raise
    finally:
        rclpy.try_shutdown()
    return 0


def _refuse(error: Exception) -> int:
    print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
