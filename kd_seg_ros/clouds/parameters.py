"""Parameters of the nodes that put masks into space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kd_seg_ros.common.picture import TURNS
from kd_seg_ros.node.parameters import parameter


def _class_names() -> Any:
    """Describe the parameter by which a node learns what the values of a mask mean."""
    return parameter(
        "",
        "Names of the mask's classes by trainId, with commas between them. Empty: the 19 classes of "
        "Cityscapes.",
    )


@dataclass(frozen=True)
class PointsParameters:
    """The values that points_node starts with."""

    source: str = parameter(
        "depth",
        "Where distances come from. depth: depth/image with depth/camera_info, aligned to the camera. "
        "points: an organised cloud on points, aligned to the camera.",
        choices=("depth", "points"),
    )
    max_stamp_difference_s: float = parameter(
        0.05,
        "Seconds that the stamps of a mask and of its depth may differ. 0.0: they must be equal.",
        limits=(0.0, 10.0),
    )
    max_kept_megabytes: int = parameter(
        256,
        "Memory in megabytes for depths that wait for their mask, which is later by the time the network "
        "takes.",
        limits=(1, 100_000),
    )
    rotate: int = parameter(
        0,
        "The segmentation node's rotate, whose maps are turned by so many degrees: depth, camera_info and "
        "cloud are not, but come as the camera gives them.",
        choices=TURNS,
    )


@dataclass(frozen=True)
class GroundParameters:
    """The values that ground_node starts with."""

    camera_height: float = parameter(
        0.0,
        "Height of the camera above the ground in metres. 0.0: TF says where the camera is and which way it "
        "looks, for each image; pitch, roll, yaw, camera_x and camera_y are not set then.",
        limits=(0.0, 100.0),
    )
    pitch: float = parameter(
        0.0, "Degrees by which the camera looks down; negative: up.", limits=(-89.0, 89.0)
    )
    roll: float = parameter(
        0.0, "Degrees by which the camera leans to the right, seen from the rear.", limits=(-180.0, 180.0)
    )
    yaw: float = parameter(0.0, "Degrees by which the camera looks to the left.", limits=(-180.0, 180.0))
    camera_x: float = parameter(
        0.0, "Metres from the origin of frame_id ahead to the camera.", limits=(-100.0, 100.0)
    )
    camera_y: float = parameter(
        0.0, "Metres from the origin of frame_id to the left to the camera.", limits=(-100.0, 100.0)
    )
    frame_id: str = parameter(
        "base_footprint", "Frame of the grid: its origin on the ground, x ahead, y to the left, z up."
    )
    rectified: bool = parameter(
        False,
        "The camera's images are rectified (image_rect): camera_info's P holds and the lens is left out.",
    )
    rotate: int = parameter(
        0,
        "The segmentation node's rotate, whose maps are turned by so many degrees: TF's pose is that of the "
        "camera's picture as it comes. Not used with camera_height.",
        choices=TURNS,
    )
    nearest: float = parameter(0.0, "Metres ahead at which the grid begins.", limits=(-100.0, 100.0))
    farthest: float = parameter(20.0, "Metres ahead at which the grid ends.", limits=(-100.0, 300.0))
    width: float = parameter(20.0, "Metres from the grid's right edge to its left edge.", limits=(0.1, 300.0))
    cell: float = parameter(0.1, "Side of a cell in metres.", limits=(0.01, 10.0))
    coarsest: float = parameter(
        0.5,
        "Metres of ground that one row of the mask may cover: cells further off are unknown.",
        limits=(0.001, 100.0),
    )
    class_names: str = _class_names()
    drivable: str = parameter("road", "Names of the classes that can be driven on, with commas between them.")


@dataclass(frozen=True)
class AutowareParameters:
    """The values that autoware_node starts with."""

    class_names: str = _class_names()
