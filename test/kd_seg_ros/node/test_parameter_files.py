"""Sections of parameter files, compared with what rclpy itself takes from them."""

from __future__ import annotations

from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy")

import dds  # noqa: E402, F401  (isolated domain)
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402

from kd_seg_ros.node.parameter_files import (  # noqa: E402
    applies,
    files_without,
    parameter_files,
    sections,
    value_for,
)

KEYS = [
    "segmentation",
    "/segmentation",
    "segmentation_node",
    "/**",
    "/*",
    "/**/segmentation",
    "/*/segmentation",
    "front",
    "/front/segmentation",
    "front/segmentation",
    "/*/*",
    "/front/other",
]


@pytest.mark.parametrize("namespace", ["/", "/front", "/car/front"])
def test_sections_apply_as_in_ros(tmp_path: Path, namespace: str) -> None:
    ours = f"{namespace.rstrip('/')}/segmentation"
    context = Context()
    rclpy.init(context=context)
    taken = []
    for number, key in enumerate(KEYS):
        file = tmp_path / f"{number}.yaml"
        file.write_text(f"'{key}':\n  ros__parameters:\n    value: 1\n")
        arguments = ["--ros-args", "-r", f"__ns:={namespace}", "--params-file", str(file)]
        node = Node("segmentation", context=context, cli_args=arguments, use_global_arguments=False)
        if node._parameter_overrides:
            taken.append(key)
        node.destroy_node()
        assert sections(str(file)) == [key]
        assert bool(files_without(arguments, ours)) == (key not in taken)
    context.try_shutdown()
    assert [key for key in KEYS if applies(key, ours)] == taken
    assert taken


@pytest.mark.parametrize(
    "text",
    [
        "/front/segmentation: {ros__parameters: {value: 2}}",
        "/**: {ros__parameters: {value: 1}}",
        "/front/segmentation: {ros__parameters: {value: 2}}\n/**: {ros__parameters: {value: 1}}",
        "/**: {ros__parameters: {value: 1}}\n/front/segmentation: {ros__parameters: {value: 2}}",
        "/**: {ros__parameters: {value: 1}}\n/front/segmentation: {ros__parameters: {other: 2}}",
        "front: {segmentation: {ros__parameters: {value: 3}}}\n/back/*: {ros__parameters: {value: 4}}",
        "segmentation: {ros__parameters: {value: 1}}",
    ],
)
def test_a_value_is_the_one_that_the_node_gets(tmp_path: Path, text: str) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(text)
    context = Context()
    rclpy.init(context=context)
    arguments = ["--ros-args", "-r", "__ns:=/front", "--params-file", str(file)]
    node = Node("segmentation", context=context, cli_args=arguments, use_global_arguments=False)
    given = node._parameter_overrides.get("value")
    node.destroy_node()
    context.try_shutdown()
    assert value_for(str(file), "/front/segmentation", "value") == (given.value if given else None)


def test_a_file_without_parameters_gives_no_value(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    for text in ("", "- 1", "/**: {ros__parameters: 3}", "{"):
        file.write_text(text)
        assert value_for(str(file), "/segmentation", "value") is None
    assert value_for(str(tmp_path / "none.yaml"), "/segmentation", "value") is None


def test_a_file_for_others_is_named_with_what_it_has(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "segmentation_node:\n  ros__parameters: {provider: cpu}\n"
        "front:\n  camera:\n    ros__parameters: {fps: 1}\n  ros__parameters: {x: 1}\n"
    )
    arguments = ["node", "--ros-args", "--params-file", str(file), "--"]
    (sentence,) = files_without(arguments, "/front/segmentation")
    assert sentence == (
        f"{file} has nothing for this node, /front/segmentation; it has segmentation_node, front, "
        "front/camera: name the section '/front/segmentation' or '/**'"
    )
    assert files_without(arguments, "/segmentation_node") == []


@pytest.mark.parametrize("text", ["", "[]", "a: 1", "7"])
def test_a_file_without_any_section(tmp_path: Path, text: str) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text(text)
    (sentence,) = files_without(["--ros-args", "--params-file", str(file)], "/segmentation")
    assert "it has no section at all" in sentence


def test_only_the_files_of_ros_count() -> None:
    words = ["--params-file", "no", "--ros-args", "--params-file", "a", "-p", "b:=1", "--params-file", "b"]
    assert parameter_files([*words, "--", "--params-file", "c", "--ros-args", "--params-file"]) == ["a", "b"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"[", b"a: *x"])
def test_what_cannot_be_read_is_left_to_ros(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "odd.yaml"
    if content is not None:
        file.write_bytes(content)
    assert files_without(["--ros-args", "--params-file", str(file)], "/segmentation") == []
