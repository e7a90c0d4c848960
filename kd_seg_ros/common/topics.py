"""The topics of the node and of its bags, each named once: publishers, QoS overrides, docs and tests iterate.

Names without a leading slash are relative: they lie in the namespace of the node. No ROS in here; a message
type is named as ROS names it, and :func:`message_class` imports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

IMAGE: Final = "image"
"""The camera's images; the topic that launch files and users remap."""
COMPRESSED: Final = "/compressed"
"""Ending of the topic with an image topic's compressed copies, as image_transport names it."""
CAMERA_INFO: Final = "camera_info"
"""The camera's calibration, in the namespace of the image topic."""
DIAGNOSTICS: Final = "/diagnostics"
"""The node's state, with that of all other nodes."""
SET_ENABLED: Final = "segmentation/set_enabled"
"""Service (std_srvs/SetBool) that pauses the node."""

LABELS: Final = "labels"
"""In a bag, next to the image topic: the true class ids of each image, mono8."""
CONDITION: Final = "condition"
"""In a bag, next to the image topic: the weather, std_msgs/String."""
FRAME_NAME: Final = "frame_name"
"""In a bag, next to the image topic: the name of the file an image was read from, std_msgs/String."""


@dataclass(frozen=True)
class OutputTopic:
    """A topic that the node publishes."""

    name: str
    """Relative name, such as ``segmentation/mask``."""
    type: str
    """Type of its messages, such as ``sensor_msgs/msg/Image``."""
    meaning: str
    """What it holds, as docs/parameters.md says it."""
    latched: bool = False
    """Transient local: a subscriber that comes later still gets the last message."""
    activates: bool = True
    """A subscriber makes the node subscribe to the camera and run the network."""


MASK: Final = OutputTopic(
    "segmentation/mask",
    "sensor_msgs/msg/Image",
    "mono8: the trainId of each pixel, 255 where the confidence is below `min_confidence`",
)
MASK_PNG: Final = OutputTopic(
    f"{MASK.name}{COMPRESSED}",
    "sensor_msgs/msg/CompressedImage",
    "PNG: the mask without loss; made only while somebody subscribes",
)
CONFIDENCE: Final = OutputTopic(
    "segmentation/confidence",
    "sensor_msgs/msg/Image",
    "mono8: round(255 · calibrated probability of the mask's class); 32FC1, 0…1, by the parameter "
    "`confidence_encoding`",
)
DRIVABLE: Final = OutputTopic(
    "segmentation/drivable",
    "sensor_msgs/msg/Image",
    "mono8: 255 where the class is drivable and its confidence high enough, 0 where it is another class, 127 "
    "where neither is known, see [trust.md](trust.md#where-to-drive); made only while somebody subscribes",
)
OVERLAY: Final = OutputTopic(
    "segmentation/overlay",
    "sensor_msgs/msg/Image",
    "bgr8: the classes' colours over the image; made only while somebody subscribes, not offered with "
    "`overlay: false`",
)
LABEL_INFO: Final = OutputTopic(
    "segmentation/label_info",
    "vision_msgs/msg/LabelInfo",
    "the classes' names and the highest threshold of `min_confidence` and `risk`; where vision_msgs is "
    "installed",
    latched=True,
    activates=False,
)
SCALED_CAMERA_INFO: Final = OutputTopic(
    "segmentation/camera_info",
    "sensor_msgs/msg/CameraInfo",
    "the camera's calibration for maps that are smaller or turned; with `output_scale` below 1.0 or `rotate`",
    activates=False,
)

OUTPUTS: Final = (MASK, MASK_PNG, CONFIDENCE, DRIVABLE, OVERLAY, LABEL_INFO, SCALED_CAMERA_INFO)
"""All topics that the node may publish, but for those that every node or other packages have."""

POINTS: Final = OutputTopic(
    "segmentation/points",
    "sensor_msgs/msg/PointCloud2",
    "x, y, z in metres, label (trainId) and confidence of each pixel; NaN where there is no depth",
)
"""Of points_node."""
GROUND: Final = OutputTopic(
    "segmentation/ground",
    "nav_msgs/msg/OccupancyGrid",
    "the ground from above: 0 surely drivable … 100 not drivable, -1 unknown",
)
"""Of ground_node."""
GROUND_CLASSES: Final = OutputTopic(
    "segmentation/ground_classes",
    "sensor_msgs/msg/Image",
    "mono8: the trainId of each cell of segmentation/ground, 255 unknown; far at the top, left at the left",
)
"""Of ground_node."""
GROUND_POINTS: Final = OutputTopic(
    "segmentation/ground_points",
    "sensor_msgs/msg/PointCloud2",
    "x, y, z in metres where each pixel shows the ground, its label and confidence; NaN where it shows none",
)
"""Of ground_node."""
AUTOWARE_MASK: Final = OutputTopic(
    "segmentation/autoware_mask",
    "sensor_msgs/msg/Image",
    "the mask with Autoware's classes, in runs of five bytes instead of pixels",
)
"""Of autoware_node."""


def message_class(topic: OutputTopic) -> Any:
    """Import the class of a topic's messages.

    :raises ImportError: where the package of the type is not installed.
    """
    package, _, name = topic.type.split("/")
    return getattr(import_module(f"{package}.msg"), name)
