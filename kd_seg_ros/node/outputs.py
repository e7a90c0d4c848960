"""What the node publishes for each frame: mask, confidence, and on demand what is made from them.

The topics themselves are listed in :data:`kd_seg_ros.common.topics.OUTPUTS`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from kd_seg_ros.common.encodings import FLOAT32
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import Picture
from kd_seg_ros.common.topics import (
    CONFIDENCE,
    DRIVABLE,
    MASK,
    MASK_PNG,
    OUTPUTS,
    OVERLAY,
    SCALED_CAMERA_INFO,
    OutputTopic,
)
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.colour_vision import class_marks
from kd_seg_ros.inference.drivable import DrivableArea
from kd_seg_ros.inference.engine import Prediction
from kd_seg_ros.inference.legend import Legend
from kd_seg_ros.inference.overlay import blend
from kd_seg_ros.node.camera_info import output_camera_info
from kd_seg_ros.node.latest_job_thread import LatestJobThread
from kd_seg_ros.node.messages import image_message, mapped_image, png_message
from kd_seg_ros.node.parameters import Parameters
from kd_seg_ros.node.qos import create_output

WARNING_PERIOD_S: Final = 5.0
"""Seconds between two error messages about lost pictures."""


class Outputs:
    """Publishes frames. Each frame uses the same messages again: the network writes into their bytes."""

    def __init__(self, node: Node, settings: Parameters, card: ModelCard, drivable: bool) -> None:
        """Make the topics.

        :param card: has the names and colours of the classes.
        :param drivable: offer the map of drivable pixels.
        :raises UserError: for a QoS override that cannot be used.
        """
        self._node = node
        self._settings = settings
        self._card = card
        self._marks = class_marks(card.palette)
        offered = [MASK, MASK_PNG, CONFIDENCE]
        if drivable:
            offered.append(DRIVABLE)
        if settings.overlay:
            offered.append(OVERLAY)
        if settings.follows_camera_info():
            offered.append(SCALED_CAMERA_INFO)
        self._publishers: dict[str, Publisher] = {}
        try:
            for topic in offered:
                self._publishers[topic.name] = create_output(node, topic)
        except UserError:
            self.close()
            raise
        self._image_size = (0, 0)
        self._size = (0, 0)
        self._drivable_message: Image | None = None
        # One thread each, so that a slow PNG encoder delays neither the overlay nor the next frame.
        self._overlay_thread = LatestJobThread("overlay", self._failed)
        self._png_thread = LatestJobThread("png", self._failed)

    def start(self) -> None:
        """Start the threads that make pictures."""
        self._overlay_thread.start()
        self._png_thread.start()

    def stop(self) -> None:
        """End the threads that make pictures, after those under way."""
        self._overlay_thread.stop()
        self._png_thread.stop()

    def close(self) -> None:
        """Take back the topics; the threads have ended before."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def heard(self, topic: OutputTopic) -> bool:
        """Return whether anybody subscribes to a topic; False if it is not offered."""
        publisher = self._publishers.get(topic.name)
        return publisher is not None and publisher.get_subscription_count() > 0

    def wanted(self) -> bool:
        """Return whether anybody subscribes to a topic for which the network must run."""
        return any(self.heard(topic) for topic in OUTPUTS if topic.activates)

    def buffers(self, image_size: tuple[int, int]) -> Prediction:
        """Return the arrays inside the next messages, to be written to.

        :param image_size: (height, width) in pixels, after turning; the arrays are smaller by
            ``output_scale``.
        """
        self._image_size = image_size
        scale = self._settings.output_scale
        size = max(1, round(image_size[0] * scale)), max(1, round(image_size[1] * scale))
        if size != self._size:
            self._allocate(size)
            self._size = size
        return self._buffers

    def _allocate(self, size: tuple[int, int]) -> None:
        """Make the messages for maps of (height, width), and the views of their bytes."""
        self._mask_message, mask = mapped_image(size, np.uint8)
        if self._settings.confidence_encoding == FLOAT32:
            self._confidence_message, probability = mapped_image(size, np.float32)
            self._buffers = Prediction(mask, np.empty(size, np.uint8), probability)
        else:
            self._confidence_message, confidence = mapped_image(size, np.uint8)
            self._buffers = Prediction(mask, confidence)
        self._drivable_message = None

    def publish(self, header: Header, camera_info: CameraInfo | None) -> None:
        """Publish what is in the buffers, as far as somebody listens.

        :param header: the image's, which is passed on unchanged.
        :param camera_info: the camera's newest calibration, if one has come.
        """
        for topic, message in ((MASK, self._mask_message), (CONFIDENCE, self._confidence_message)):
            if self.heard(topic):  # publishing 2 MB to nobody takes a millisecond all the same
                message.header = header
                self._publishers[topic.name].publish(message)
        if SCALED_CAMERA_INFO.name in self._publishers and camera_info is not None:
            self._publish_camera_info(header, camera_info)

    def publish_drivable(self, header: Header, area: DrivableArea | None) -> None:
        """Make the map of drivable pixels from what is in the buffers and publish it, if somebody listens.

        :param header: the image's, which is passed on unchanged.
        """
        if area is None or not self.heard(DRIVABLE):
            return
        if self._drivable_message is None:
            self._drivable_message, self._drivable = mapped_image(self._size, np.uint8)
        area.draw(self._buffers.mask, self._buffers.confidence, self._drivable)
        self._drivable_message.header = header
        self._publishers[DRIVABLE.name].publish(self._drivable_message)

    def _publish_camera_info(self, header: Header, camera_info: CameraInfo) -> None:
        """Publish the calibration of the maps, made from the camera's, unless that says nothing."""
        if not camera_info.width or not camera_info.height:
            return
        degrees = self._settings.rotate
        size = self._image_size if degrees in (0, 180) else self._image_size[::-1]
        info = output_camera_info(camera_info, size, degrees, self._size)
        if info is None:
            self._node.get_logger().warning(
                f"no {SCALED_CAMERA_INFO.name}: the camera's camera_info is for images of "
                f"{camera_info.width}×{camera_info.height}, not {size[1]}×{size[0]}",
                once=True,
            )
            return
        info.header = header
        self._publishers[SCALED_CAMERA_INFO.name].publish(info)

    def publish_on_demand(self, header: Header, picture: Picture) -> None:
        """Hand what takes long to the threads for it, if somebody listens."""
        png, overlay = self.heard(MASK_PNG), self.heard(OVERLAY)
        if not png and not overlay:
            return
        mask = self._buffers.mask.copy()  # the next frame is written over the original
        if png:
            self._png_thread.give(partial(self._publish_png, header, mask))
        if overlay:
            alpha = float(self._node.get_parameter("overlay_alpha").value)
            marks = self._marks if self._node.get_parameter("overlay_marks").value else ()
            kind = str(self._node.get_parameter("overlay_legend").value)
            legend = Legend(self._card.class_names, self._card.palette, tuple(marks), kind)
            self._overlay_thread.give(partial(self._publish_overlay, header, picture, mask, alpha, legend))

    def _publish_png(self, header: Header, mask: NDArray[np.uint8]) -> None:
        self._publishers[MASK_PNG.name].publish(png_message(header, mask))

    def _publish_overlay(
        self,
        header: Header,
        picture: Picture,
        mask: NDArray[np.uint8],
        alpha: float,
        legend: Legend,
    ) -> None:
        pixels, bgr = picture.pixels, picture.bgr
        if mask.shape != pixels.shape[:2]:
            grown = cv2.resize(mask, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            mask = np.asarray(grown, np.uint8)
        # The colours are brought into the image's order of channels, the smaller thing of the two.
        palette = self._card.palette
        colours = [colour[::-1] for colour in palette] if bgr else palette
        mixed = blend(pixels, mask, colours, alpha, legend.marks)
        legend.draw_over(mixed, mask, bgr=bgr)
        message = image_message(header, mixed if bgr else mixed[..., ::-1])
        self._publishers[OVERLAY.name].publish(message)

    def _failed(self, error: Exception) -> None:
        """Report a picture that could not be made, unless ROS was shut down meanwhile."""
        if self._node.context.ok():
            reason = f"{type(error).__name__}: {error}"
            self._node.get_logger().error(f"picture lost: {reason}", throttle_duration_sec=WARNING_PERIOD_S)
