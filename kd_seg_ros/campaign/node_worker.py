"""The node's worker with all that belongs to it, given messages one by one. Needs ROS."""

from __future__ import annotations

import time
from array import array
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import CompressedImage as RosCompressedImage
from sensor_msgs.msg import Image as RosImage
from std_msgs.msg import Header

from kd_seg_ros.campaign.parameters import ros_context
from kd_seg_ros.common.picture import DecodeOptions
from kd_seg_ros.faults.images import CompressedImage, RawImage
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.node.camera import CameraSubscription
from kd_seg_ros.node.outputs import Outputs
from kd_seg_ros.node.parameter_declaration import declare_parameters
from kd_seg_ros.node.threshold_parameters import ThresholdParameters
from kd_seg_ros.node.worker import SegmentationWorker

EVENTS: Final = ("published", "rejected", "failed")
"""What the worker counts at the end of a frame."""


class NodeWorker:
    """A node's worker without a subscription: messages are handed to it as the subscription would."""

    def __init__(self, model: Path, compressed: bool, options: DecodeOptions) -> None:
        """Make the node's parts and start the worker.

        :param compressed: it takes compressed images.
        :param options: how images are decoded.
        """
        overrides: list[Parameter[Any]] = [
            Parameter("compressed", value=compressed),
            Parameter("white_level", value=options.white_level),
            Parameter("max_image_megapixels", value=float(options.max_megapixels)),
        ]
        node = Node(
            f"fuzz_worker_{'compressed' if compressed else 'raw'}",
            context=ros_context(),
            use_global_arguments=False,
            start_parameter_services=False,
            parameter_overrides=overrides,
        )
        settings = declare_parameters(node)
        engine = Engine(model, "cpu", threads=1)
        camera = CameraSubscription(
            node, self._ignore, compressed=compressed, reliability="auto", with_info=False
        )
        self._outputs = _Outputs(node, settings, engine.card, drivable=False)
        thresholds = ThresholdParameters(node, engine.card)
        self._worker = SegmentationWorker(
            node, settings, engine, thresholds, self._outputs, camera, self._given_up
        )
        self._worker.start()

    def segment(self, message: RawImage | CompressedImage) -> tuple[str, NDArray[np.uint8] | None]:
        """Hand over a message and wait for its end.

        :return: what the worker counted, and the mask if it published one, [H, W].
        """
        before = self._worker.statistics.summary().totals
        self._worker.give(_ros_message(message), time.monotonic())
        while True:  # the campaign's time limit ends a worker that never answers
            totals = self._worker.statistics.summary().totals
            for event in EVENTS:
                if totals.get(event, 0) > before.get(event, 0):
                    return event, self._outputs.mask if event == "published" else None
            time.sleep(0.0005)

    def _ignore(self, message: object) -> None:
        """Stand in for the subscription's callback, which is never called."""

    def _given_up(self) -> None:
        """Stand in for what ends the node."""


class _Outputs(Outputs):
    """The node's outputs, which keep a copy of what was published last."""

    mask: NDArray[np.uint8] | None = None

    def publish(self, header: Header, camera_info: CameraInfo | None) -> None:
        self.mask = self._buffers.mask.copy()
        super().publish(header, camera_info)


def _ros_message(message: RawImage | CompressedImage) -> RosImage | RosCompressedImage:
    """Return the message as the middleware hands it to the node."""
    fields = {**vars(message), "data": array("B", message.data)}
    kind = RosCompressedImage if isinstance(message, CompressedImage) else RosImage
    return kind(**fields)
