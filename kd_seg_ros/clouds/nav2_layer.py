"""Parameters of Nav2's semantic segmentation layer for the classes of a model. No ROS in here.

The layer (kiwicampus/semantic_segmentation_layer, a costmap plugin) gives the cells of a costmap a cost by
the classes seen there. Names and meanings of its parameters follow its sources at version a70cf6e. It ignores
pixels whose class is not in its lists, the unlabelled ones (255) among them, and logs an error for each class
of ``label_info`` that is in none: so all are listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean
from kd_seg_ros.common.topics import CONFIDENCE, GROUND_POINTS, LABEL_INFO, MASK, POINTS
from kd_seg_ros.inference.risk import GROUPS

PLUGIN: Final = "semantic_segmentation_layer::SemanticSegmentationLayer"
LETHAL: Final = 254
"""Cost of a cell that must not be entered."""
ON_FLAT_GROUND_M: Final = 10.0
"""How far points are taken that lie on a ground that is only said to be flat, metres."""
_HALF_SURE: Final = 128
"""Mean confidence, 0…255, above which observations count as sure."""


def layer_parameters(
    class_names: Sequence[str],
    drivable: Sequence[str],
    passable: Sequence[str],
    namespace: str,
    *,
    depth: bool = True,
) -> dict[str, Any]:
    """Return the layer's parameters, below its name in a costmap's section.

    Classes of people on foot or on two wheels are lethal as soon as they are seen once and win over all else
    in a cell; other classes become lethal after three sure observations.

    :param class_names: the model's, by trainId.
    :param drivable: classes without cost.
    :param passable: classes of middle cost: to be entered if there is no other way.
    :param namespace: of the segmentation node, such as ``/front``; empty: the root.
    :param depth: the points are those of points_node; False: those of ground_node.
    :raises UserError: for a class that the model does not have, or that is in two groups.
    """
    _check(class_names, drivable, passable)
    free = [*drivable, *passable]
    vulnerable = [name for name in class_names if name in GROUPS["vulnerable"] and name not in free]
    obstacles = [name for name in class_names if name not in (*free, *vulnerable)]
    types = {
        "drivable": _costs(list(drivable), 0, 0),
        "passable": _costs(list(passable), 100, 100),
        "obstacle": _costs(obstacles, 200, LETHAL, samples=3),
        "vulnerable": _costs(vulnerable, LETHAL, LETHAL) | {"dominant_priority": True},
    }
    used = {name: costs for name, costs in types.items() if costs["classes"]}
    root = f"/{namespace.strip('/')}" if namespace.strip("/") else ""
    camera = {
        "segmentation_topic": f"{root}/{MASK.name}",
        "confidence_topic": f"{root}/{CONFIDENCE.name}",
        "labels_topic": f"{root}/{LABEL_INFO.name}",
        "pointcloud_topic": f"{root}/{POINTS.name if depth else GROUND_POINTS.name}",
        "min_obstacle_distance": 0.3,
        "max_obstacle_distance": 20.0 if depth else ON_FLAT_GROUND_M,
        "tile_map_decay_time": 2.0,
        "use_cost_selection": True,
        "class_types": list(used),
        **used,
    }
    return {
        "plugin": PLUGIN,
        "enabled": True,
        "use_approximate_time_sync": True,
        "observation_sources": "camera",
        "camera": camera,
    }


def _costs(classes: list[str], base: int, highest: int, samples: int = 0) -> dict[str, Any]:
    """Return the parameters of a group of classes.

    :param base: cost, 0…254, of a cell in which one of the classes was seen.
    :param highest: cost after ``samples`` observations that are sure on average.
    """
    return {
        "classes": classes,
        "base_cost": base,
        "max_cost": highest,
        "mark_confidence": _HALF_SURE if samples else 0,
        "samples_to_max_cost": samples,
        "dominant_priority": False,
    }


def _check(class_names: Sequence[str], drivable: Sequence[str], passable: Sequence[str]) -> None:
    """Refuse classes that the model does not have, and such as are named twice."""
    for option, names in (("--free", drivable), ("--passable", passable)):
        for name in names:
            if name not in class_names:
                advice = did_you_mean(name, class_names) or f"; there are {', '.join(class_names)}"
                raise UserError(f"{option} {name}: the model has no such class{advice}")
    twice = sorted(set(drivable) & set(passable))
    if twice:
        raise UserError(f"--free and --passable: {', '.join(twice)} cannot be both")
