"""What the node publishes of a frame: mask and confidence, and on demand overlay, PNG and camera_info."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from kd_seg_ros.common.decode import Picture
from kd_seg_ros.inference.engine import Prediction
from kd_seg_ros.inference.overlay import Palette, blend
from kd_seg_ros.node.camera_info import scaled_camera_info
from kd_seg_ros.node.latest_job_thread import LatestJobThread
from kd_seg_ros.node.messages import image_message, mapped_image, png_message
from kd_seg_ros.node.parameters import Parameters
from kd_seg_ros.node.qos import create_output

WARNING_PERIOD_S = 5.0
TOPICS = ("mask", "mask/compressed", "confidence", "overlay", "label_info", "camera_info")
"""All that the node may publish, below ``segmentation``."""


class Outputs:
    """The topics, and the messages that are used over and over: the network writes into their bytes."""

    def __init__(self, node: Node, settings: Parameters, palette: Palette) -> None:
        """Make the topics.

        :raises UserError: for a QoS override that cannot be used.
        """
        self._node = node
        self._settings = settings
        self._palette = palette
        self._mask = create_output(node, Image, "segmentation/mask")
        self._confidence = create_output(node, Image, "segmentation/confidence")
        self._png = create_output(node, CompressedImage, "segmentation/mask/compressed")
        self._overlay: Publisher | None = None
        if settings.overlay:
            self._overlay = create_output(node, Image, "segmentation/overlay")
        self._info: Publisher | None = None
        if settings.output_scale < 1:
            self._info = create_output(node, CameraInfo, "segmentation/camera_info")
        self._size = (0, 0)
        # Two, so that neither holds the other up, nor the frames.
        self._overlay_worker = LatestJobThread("overlay", self._failed)
        self._png_worker = LatestJobThread("png", self._failed)

    def start(self) -> None:
        """Start the threads."""
        self._overlay_worker.start()
        self._png_worker.start()

    def stop(self) -> None:
        """End the threads."""
        self._overlay_worker.stop()
        self._png_worker.stop()

    def listened(self) -> bool:
        """Whether anybody subscribes to any of the maps."""
        topics = (self._mask, self._confidence, self._png, self._overlay)
        return any(_heard(topic) for topic in topics)

    def buffers(self, image: tuple[int, int]) -> Prediction:
        """Return the maps of the outgoing messages for an image of (height, width), to be written to."""
        scale = self._settings.output_scale
        size = max(1, round(image[0] * scale)), max(1, round(image[1] * scale))
        if size != self._size:
            self._allocate(size)
            self._size = size
        return self._maps

    def _allocate(self, size: tuple[int, int]) -> None:
        self._mask_message, mask = mapped_image(size, np.uint8)
        if self._settings.confidence_encoding == "32FC1":
            self._confidence_message, probability = mapped_image(size, np.float32)
            self._maps = Prediction(mask, np.empty(size, np.uint8), probability)
        else:
            self._confidence_message, confidence = mapped_image(size, np.uint8)
            self._maps = Prediction(mask, confidence)

    def publish(self, header: Header, camera_info: CameraInfo | None) -> None:
        """Publish what is in the maps, under the source's header, as far as somebody listens."""
        for topic, message in (
            (self._mask, self._mask_message),
            (self._confidence, self._confidence_message),
        ):
            if _heard(topic):  # publishing 2 MB to nobody takes a millisecond all the same
                message.header = header
                topic.publish(message)
        if self._info is not None and camera_info is not None and camera_info.width and camera_info.height:
            scaled = scaled_camera_info(camera_info, self._size)
            scaled.header = header
            self._info.publish(scaled)

    def publish_on_demand(self, header: Header, picture: Picture) -> None:
        """Hand what takes long, if somebody wants it, to threads of its own."""
        overlay, png = self._overlay, _heard(self._png)
        if not png and not _heard(overlay):
            return
        mask = self._maps.mask.copy()  # the next frame is written over the original
        if png:
            self._png_worker.give(lambda: self._png.publish(png_message(header, mask)))
        if overlay is not None and _heard(overlay):
            alpha = float(self._node.get_parameter("overlay_alpha").value)
            self._overlay_worker.give(partial(self._publish_overlay, overlay, header, picture, mask, alpha))

    def _publish_overlay(
        self, overlay: Publisher, header: Header, picture: Picture, mask: NDArray[np.uint8], alpha: float
    ) -> None:
        pixels, bgr = picture
        if mask.shape != pixels.shape[:2]:
            grown = cv2.resize(mask, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            mask = np.asarray(grown, np.uint8)
        colours = [colour[::-1] for colour in self._palette] if bgr else self._palette
        mixed = blend(pixels, mask, colours, alpha)
        overlay.publish(image_message(header, mixed if bgr else mixed[..., ::-1]))

    def _failed(self, error: Exception) -> None:
        if self._node.context.ok():  # else it was shut down while the picture was under way
            reason = f"{type(error).__name__}: {error}"
            self._node.get_logger().error(f"picture lost: {reason}", throttle_duration_sec=WARNING_PERIOD_S)


def _heard(publisher: Publisher | None) -> bool:
    return publisher is not None and publisher.get_subscription_count() > 0
