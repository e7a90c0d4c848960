"""The thread that segments: newest image in, mask and confidence out."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import Final, NamedTuple

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from kd_seg_ros.common.decode import view_compressed, view_image
from kd_seg_ros.common.picture import DecodeError, Picture
from kd_seg_ros.inference.camera_faults import CameraFaultMonitor
from kd_seg_ros.inference.domain import DomainMonitor
from kd_seg_ros.inference.drift import DriftMonitor
from kd_seg_ros.inference.drivable import threshold_text
from kd_seg_ros.inference.engine import Engine, EngineError
from kd_seg_ros.node.camera import CameraSubscription
from kd_seg_ros.node.camera_rhythm import CameraRhythm
from kd_seg_ros.node.diagnostics import DAMAGED
from kd_seg_ros.node.frame_statistics import FrameStatistics
from kd_seg_ros.node.mailbox import Mailbox
from kd_seg_ros.node.outputs import Outputs
from kd_seg_ros.node.parameters import Parameters
from kd_seg_ros.node.recovery import Recovery
from kd_seg_ros.node.stamps import StampCheck
from kd_seg_ros.node.threshold_parameters import ThresholdParameters

WARNING_PERIOD_S: Final = 5.0
"""Seconds between two warnings of one kind about frames."""


class Rejections(NamedTuple):
    """Images that could not be decoded, one after the other."""

    number: int
    reason: str
    """Why the last of them was rejected."""


class SegmentationWorker:
    """Segments images in a thread, one after the other; of those that come meanwhile only the newest is kept.

    A frame that cannot be decoded, or on which the network fails, is dropped, counted and reported.
    """

    def __init__(
        self,
        node: Node,
        settings: Parameters,
        engine: Engine,
        thresholds: ThresholdParameters,
        outputs: Outputs,
        camera: CameraSubscription,
        on_given_up: Callable[[], None],
    ) -> None:
        """Make the thread; :meth:`start` starts it.

        :param engine: open and warmed up.
        :param on_given_up: called in the thread, as its last act, when the network fails for good.
        """
        self._node = node
        self._compressed = settings.compressed
        self._decoding = settings.decoding()
        self._engine = engine
        self._thresholds = thresholds
        self._outputs = outputs
        self._camera = camera
        self._on_given_up = on_given_up
        self.statistics = FrameStatistics()
        """What happened to the frames, and how long it took; may be read from any thread."""
        self.drift = DriftMonitor.of_card(engine.card, settings.drift_window)
        """Watches the confidence; None if the card does not say what calibration saw."""
        self.domain = DomainMonitor.of_card(engine.card, settings.domain_window)
        """Watches how far the images are from those of calibration; None if the file does not tell."""
        self.camera_faults = CameraFaultMonitor()
        """Looks for black, white, blocked and frozen images."""
        self.stamps = StampCheck()
        """Compares the images' stamps with the node's clock."""
        self.rejections = Rejections(0, "")
        """The images rejected since the last good one; replaced as a whole."""
        self.segmented = 0
        """Frames that the network has answered since the start, published or not: ROS may end in between."""
        self.recovery = Recovery(engine, node.get_logger().error)
        """Starts the engine again after a failure, and says what it is doing."""
        self._rhythm = CameraRhythm()
        self._wait_for_fresher = settings.wait_for_fresher_image
        self._mailbox: Mailbox[tuple[float, Image | CompressedImage]] = Mailbox()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread, for the first time or after :meth:`stop`."""
        self.recovery.resume()
        self._mailbox = Mailbox()
        self._thread = Thread(target=self._work, name="worker")
        self._thread.start()

    def stop(self) -> None:
        """End after the frame under way."""
        self.recovery.stop()
        if self._mailbox.close():
            self.statistics.count("overwritten")
        if self._thread is not None:
            self._thread.join()

    def give(self, message: Image | CompressedImage, arrival: float) -> None:
        """Hand over a new image, without waiting.

        :param arrival: when it came, in seconds of ``time.monotonic``.
        """
        self.statistics.count("received")
        self._rhythm.note(arrival)
        if self._mailbox.put((arrival, message)):
            self.statistics.count("overwritten")

    def drivable_threshold(self) -> str:
        """Say which threshold drivable pixels have, and where it comes from; empty if none are offered."""
        area = self._thresholds.drivable
        return threshold_text(area) if area else ""

    def _work(self) -> None:
        while not self.recovery.given_up:
            if not self._mailbox.wait(self._wait_for_next) or not self._try():
                return
        self._on_given_up()

    def _wait_for_next(self, item: tuple[float, Image | CompressedImage]) -> float:
        """Return for how many seconds to wait for a fresher image than the one that has come."""
        return self._rhythm.wait_for_next(item[0], time.monotonic()) if self._wait_for_fresher else 0.0

    def _try(self) -> bool:
        """Segment the newest frame, or count and report why not; return whether to go on."""
        logger = self._node.get_logger()
        try:
            if not self._segment_newest():
                return False
            self.recovery.worked()
        except DecodeError as error:
            self.statistics.count("rejected")
            self.rejections = Rejections(self.rejections.number + 1, str(error))
            logger.warning(f"frame dropped: {error}", throttle_duration_sec=WARNING_PERIOD_S)
        except EngineError as error:
            self.statistics.count("failed")
            self.recovery.failed(error)
        except Exception as error:
            if not self._node.context.ok():
                return False  # ROS was shut down while the frame was under way
            self.statistics.count("failed")
            reason = f"{type(error).__name__}: {error}"
            logger.error(f"frame lost: {reason}", throttle_duration_sec=WARNING_PERIOD_S)
        return True

    def _segment_newest(self) -> bool:
        """Take the newest image, segment it and publish the answer; return False if there is none any more.

        How long each step took is recorded.
        """
        # Where cameras share the network this waits for its turn, and takes the image that is newest then.
        with self._engine.place():
            item = self._mailbox.take()
            if item is None:
                return False
            arrival, message = item
            start = time.monotonic()
            picture = self._decode(message)
            decoded = time.monotonic()

            # The network writes into the bytes of the messages; publishing copies nothing.
            buffers = self._outputs.buffers(picture.pixels.shape[:2])
            levels = self._thresholds.levels
            answer = self._engine.segment(picture.pixels, bgr=picture.bgr, out=buffers, min_confidence=levels)
            inferred = time.monotonic()
        self.segmented += 1

        self._outputs.publish(message.header, self._camera.info)
        self._outputs.publish_drivable(message.header, self._thresholds.drivable)
        published = time.monotonic()

        # Mask and confidence are out: what follows delays the next frame at most.
        self.rejections = Rejections(0, "")
        self.statistics.count("published")
        self.statistics.record("decode_ms", 1e3 * (decoded - start))
        self.statistics.record("inference_ms", 1e3 * (inferred - decoded))
        self.statistics.record("publish_ms", 1e3 * (published - inferred))
        self.statistics.record("latency_ms", 1e3 * (published - arrival))
        self._record_age(message.header)
        self._outputs.publish_on_demand(message.header, picture)
        if self.drift:
            self.drift.add(buffers.confidence)
        if self.domain and answer.domain_distance is not None:
            self.domain.add(answer.domain_distance)
        self.camera_faults.add(picture.pixels, _nanoseconds(message.header))
        return True

    def _decode(self, message: Image | CompressedImage) -> Picture:
        """Return a message's picture, and warn of what is odd about it; raises DecodeError."""
        view = view_compressed if self._compressed else view_image
        picture = view(message, self._decoding)
        self._warn_of_resizing(picture.pixels.shape[:2])
        if picture.damage:
            self.statistics.count(DAMAGED)
            self._node.get_logger().warning(
                f"a damaged frame is used: {picture.damage}", throttle_duration_sec=WARNING_PERIOD_S
            )
        return picture

    def _record_age(self, header: Header) -> None:
        stamp = _nanoseconds(header)
        now = self._node.get_clock().now().nanoseconds
        if not stamp or not now:
            return  # the camera does not say, or simulated time has not begun
        self.stamps.note(1e-9 * stamp, 1e-9 * now)
        if now >= stamp:  # else time has jumped back or the clocks differ: no age is better than a wrong one
            self.statistics.record("image_age_ms", 1e-6 * (now - stamp))

    def _warn_of_resizing(self, size: tuple[int, int]) -> None:
        if self._engine.dynamic or size == self._engine.size:
            return
        wanted = "×".join(map(str, self._engine.size[::-1]))
        self._node.get_logger().warning(
            f"images of {size[1]}×{size[0]} are resized to the model's {wanted} and the results back: "
            "export the model for the camera's size",
            once=True,
        )


def _nanoseconds(header: Header) -> int:
    """Return a header's stamp in nanoseconds."""
    return int(header.stamp.sec * 10**9 + header.stamp.nanosec)
