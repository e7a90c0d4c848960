"""The layer's parameters: every class once, under names that the layer declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kd_seg_ros.clouds.nav2_layer import layer_parameters
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

DOCS = Path(__file__).resolve().parents[3] / "docs" / "nav2.md"

# What onInitialize() of the layer's sources declares.
OF_THE_LAYER = {
    *("enabled", "combination_method", "observation_sources", "publish_debug_topics"),
    "use_approximate_time_sync",
}
OF_A_SOURCE = {
    *("segmentation_topic", "confidence_topic", "labels_topic", "pointcloud_topic"),
    *("observation_persistence", "expected_update_rate", "class_types", "max_obstacle_distance"),
    *("min_obstacle_distance", "tile_map_decay_time", "visualize_tile_map", "use_cost_selection"),
}
OF_A_TYPE = {
    *("classes", "base_cost", "max_cost", "mark_confidence", "samples_to_max_cost", "dominant_priority"),
}


def test_every_class_is_in_one_list_and_every_name_is_the_layers() -> None:
    layer = layer_parameters(CLASS_NAMES, ["road"], ["sidewalk", "terrain"], "/front/")
    assert layer.keys() - {"plugin", "camera"} <= OF_THE_LAYER
    camera = layer["camera"]
    types = camera["class_types"]
    assert camera.keys() - set(types) <= OF_A_SOURCE
    listed = []
    for name in types:
        assert camera[name].keys() == OF_A_TYPE
        assert 0 <= camera[name]["base_cost"] <= camera[name]["max_cost"] <= 254
        listed += camera[name]["classes"]
    assert sorted(listed) == sorted(CLASS_NAMES)
    assert camera["vulnerable"]["classes"] == ["person", "rider", "motorcycle", "bicycle"]
    assert camera["vulnerable"]["dominant_priority"]
    assert camera["pointcloud_topic"] == "/front/segmentation/points"


def test_groups_without_classes_are_left_out() -> None:
    layer = layer_parameters(("lane", "grass"), ["lane"], [], "")
    assert layer["camera"]["class_types"] == ["drivable", "obstacle"]
    assert layer["camera"]["segmentation_topic"] == "/segmentation/mask"


@pytest.mark.parametrize(
    ("drivable", "passable", "message"),
    [
        (["raod"], [], "--free raod: the model has no such class; did you mean 'road'"),
        (["road"], ["road"], "road cannot be both"),
    ],
)
def test_classes_that_are_none_are_refused(drivable: list[str], passable: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        layer_parameters(CLASS_NAMES, drivable, passable, "")


def test_the_page_shows_what_the_command_prints() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (costmap,) = [yaml.safe_load(block) for block in blocks if "semantic_segmentation_layer:" in block]
    parameters = costmap["local_costmap"]["local_costmap"]["ros__parameters"]
    expected = layer_parameters(CLASS_NAMES, ["road"], ["sidewalk", "terrain"], "")
    assert parameters["semantic_segmentation_layer"] == expected
    assert "semantic_segmentation_layer" in parameters["plugins"]
