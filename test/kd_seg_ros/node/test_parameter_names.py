"""Slips of the pen are refused; what a vehicle sets for all its nodes is not."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.node.parameter_names import foreign_names, known_names, refuse_unknown_names

VEHICLE = [
    "wheel_radius",
    "wheel_width",
    "wheel_base",
    "wheel_tread",
    "front_overhang",
    "rear_overhang",
    "left_overhang",
    "right_overhang",
    "vehicle_height",
    "vehicle_model",
    "cg_to_rear",
    "max_steer_angle",
    "robot_description",
    "frame_id",
    "base_frame",
    "odom_frame",
    "publish_rate",
    "robot_base_frame",
    "map_frame",
    "bond_timeout",
    "robot_radius",
    "footprint",
    "autostart",
    "node_names",
    "ip",
    "port",
    "bond_heartbeat_period",
    "service_introspection_mode",
    "log_dir",
    "ros_domain",
    "zzz",
    "rate",
    "height",
    "lidar.height",
    "a",
]
"""Parameters that Autoware, Nav2 and vehicle launch files set for every node."""


@pytest.mark.parametrize("name", VEHICLE)
def test_names_of_the_vehicle_are_not_ours(name: str) -> None:
    assert foreign_names(["provider", name, "use_sim_time"], known_names()) == [name]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("modle", "model"),
        ("Model", "model"),
        ("MODEL", "model"),
        ("model_path", "model"),
        ("model_file", "model"),
        ("model.path", "model"),
        ("overlay_aplha", "overlay_alpha"),
        ("overlay-alpha", "overlay_alpha"),
        ("overlayAlpha", "overlay_alpha"),
        ("confidence_min", "min_confidence"),
        ("period_s", "diagnostics.period_s"),
        ("diagnostics.period", "diagnostics.period_s"),
        ("diagnostics_period_s", "diagnostics.period_s"),
        ("image_age_ms", "diagnostics.max_image_age_ms"),
        ("no_image_timeout", "diagnostics.no_image_timeout_s"),
        ("providers", "provider"),
        ("compress", "compressed"),
        ("output_size_scale", "output_scale"),
    ],
)
def test_what_is_near_a_name_of_ours_is_refused(name: str, meant: str) -> None:
    with pytest.raises(UserError) as caught:
        foreign_names(["wheel_radius", name], known_names())
    assert str(caught.value) == f"unknown parameter {name!r}; did you mean {meant!r}?"


def test_every_name_is_known_and_every_slip_of_one_letter_is_noticed() -> None:
    known = known_names()
    assert foreign_names(known, known) == []
    for name in known:
        for place in range(len(name)):
            slip = name[:place] + name[place + 1 :]
            if slip not in known:
                with pytest.raises(UserError, match="did you mean"):
                    foreign_names([slip], known)


def test_what_others_declare_is_let_through() -> None:
    elsewhere = ["use_sim_time", "qos_overrides./clock.subscription.depth", "diagnostic_updater.period"]
    assert (
        foreign_names(
            [*elsewhere, "class_min_confidence.road", "start_type_description_service"], known_names()
        )
        == []
    )


def test_a_list_for_this_node_alone_is_taken_at_its_word() -> None:
    with pytest.raises(UserError, match=r"unknown parameter 'zzz'; there are model, provider"):
        refuse_unknown_names(["model", "zzz"])
