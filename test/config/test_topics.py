"""What the files in config/ say of the node's topics and services, against the ROS graph of the node."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

rclpy = pytest.importorskip("rclpy")

from dds import Client, running_node, wait_until  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.qos import HistoryPolicy, ReliabilityPolicy  # noqa: E402
from ros_graph import KINDS, Rules, policy, seen  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from tiny_model import write_tiny_model  # noqa: E402

from kd_seg_ros.clouds.labelled_cloud import POINT  # noqa: E402
from kd_seg_ros.common.topics import GROUND, LABEL_INFO, OUTPUTS, POINTS  # noqa: E402
from kd_seg_ros.launching.rviz import is_picture  # noqa: E402

CONFIG = Path(__file__).resolve().parents[2] / "config"
NAMESPACE = "/policed"
NODE = "segmentation"


def observed(client: Client, options: list[str], last: set[str]) -> tuple[Rules, list[Any]]:
    """Run the node until it has subscribed to ``last``; return its rules, and a message of /diagnostics."""
    messages: list[Any] = []
    client.node.create_subscription(DiagnosticArray, "/diagnostics", messages.append, 10)
    client.collect("segmentation/mask")  # it may wait for a listener
    with running_node(NAMESPACE.strip("/"), *options):
        wait_until(
            lambda: (
                last <= seen(client.node, NODE, NAMESPACE)["subscribe"]
                and not policy_missing(seen(client.node, NODE, NAMESPACE)["reply"])
            )
        )
        assert client.spin_until(lambda: messages)
        return seen(client.node, NODE, NAMESPACE), messages


def policy_missing(services: set[str]) -> set[str]:
    """The parameter services come one after the other."""
    return {name for name in policy(NODE, NAMESPACE)["reply"] if "parameter" in name} - services


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rules, list[Any]]]:
    """All that the node has in its two opposite settings, and its diagnostics."""
    model = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", 8, 8)
    options = ["-p", f"model:={model}", "-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.2"]
    client = Client(NAMESPACE.strip("/"))
    camera = client.publisher("image", Image)
    try:
        plain, messages = observed(client, options, {f"{NAMESPACE}/image"})
        client.node.destroy_publisher(camera)
        more = ["compressed:=true", "use_sim_time:=true", "output_scale:=0.5"]
        other, _ = observed(
            client,
            options + [word for option in more for word in ("-p", option)],
            {f"{NAMESPACE}/image/compressed", f"{NAMESPACE}/camera_info", "/clock"},
        )
        yield {kind: plain[kind] | other[kind] for kind in KINDS}, messages
    finally:
        client.close()


def test_the_policy_allows_what_the_node_does(graph: tuple[Rules, list[Any]]) -> None:
    for kind in KINDS:
        assert graph[0][kind] <= policy(NODE, NAMESPACE)[kind], kind


def test_the_policy_allows_nothing_else(graph: tuple[Rules, list[Any]]) -> None:
    absent = set()
    if importlib.util.find_spec("vision_msgs") is None:
        absent.add(f"{NAMESPACE}/segmentation/label_info")
    if not hasattr(rclpy.node, "TypeDescriptionService"):  # Humble
        absent.add(f"{NAMESPACE}/segmentation/get_type_description")
    for kind in KINDS:
        assert policy(NODE, NAMESPACE)[kind] - absent <= graph[0][kind], kind


def test_the_policy_allows_every_output() -> None:
    """Those among them that this machine cannot publish for want of vision_msgs."""
    assert {f"{NAMESPACE}/{topic.name}" for topic in OUTPUTS} <= policy(NODE, NAMESPACE)["publish"]


def test_every_output_of_the_catalogue_is_published(graph: tuple[Rules, list[Any]]) -> None:
    """Nor is any other published below ``segmentation``: the two settings together offer all outputs."""
    prefix = f"{NAMESPACE}/segmentation/"
    published = {name for name in graph[0]["publish"] if name.startswith(prefix)}
    listed = {f"{NAMESPACE}/{topic.name}" for topic in OUTPUTS}
    if importlib.util.find_spec("vision_msgs") is None:
        listed.remove(f"{NAMESPACE}/{LABEL_INFO.name}")
    assert published == listed


def test_the_readme_describes_every_output() -> None:
    rows = [line for line in (CONFIG.parent / "README.md").read_text().splitlines() if line.startswith("| `")]
    for topic in OUTPUTS:
        package, _, name = topic.type.split("/")
        (row,) = [row for row in rows if row.startswith(f"| `{topic.name}` |")]
        assert f"`{name}`" in row or f"`{package}/{name}`" in row


def rviz_displays() -> list[dict[str, Any]]:
    content = yaml.safe_load((CONFIG / "segmentation.rviz").read_text())
    displays: list[dict[str, Any]] = content["Visualization Manager"]["Displays"]
    return displays


def rviz_pictures() -> list[dict[str, Any]]:
    return [display for display in rviz_displays() if is_picture(display)]


def test_rviz_shows_topics_of_the_node(graph: tuple[Rules, list[Any]]) -> None:
    topics = {NAMESPACE + display["Topic"]["Value"] for display in rviz_pictures()}
    assert topics - {f"{NAMESPACE}/image"} <= graph[0]["publish"]
    assert f"{NAMESPACE}/image" in topics & graph[0]["subscribe"]


def test_rviz_listens_as_the_topics_are_offered() -> None:
    for display in rviz_pictures():
        assert (display["Enabled"], display["Value"], display["Normalize Range"]) == (True, True, False)
        topic = display["Topic"]
        # Best effort hears every camera; the node's outputs are reliable.
        wanted = "Best Effort" if topic["Value"] == "/image" else "Reliable"
        assert (topic["Reliability Policy"], topic["Depth"]) == (wanted, 1)
        assert (topic["History Policy"], topic["Durability Policy"]) == ("Keep Last", "Volatile")


def test_rviz_shows_points_and_ground_on_request() -> None:
    others = [display for display in rviz_displays() if not is_picture(display)]
    shown = {display["Topic"]["Value"]: display["Class"] for display in others}
    assert shown == {
        f"/{POINTS.name}": "rviz_default_plugins/PointCloud2",
        f"/{GROUND.name}": "rviz_default_plugins/Map",
    }
    for display in others:
        assert (display["Enabled"], display["Value"]) == (False, False)
        topic = display["Topic"]
        assert (topic["Reliability Policy"], topic["Durability Policy"]) == ("Reliable", "Volatile")
    channel = next(display["Channel Name"] for display in others if display["Name"] == "Points")
    assert channel in (POINT.names or ())


def test_rviz_shows_topics_that_the_launch_file_remaps() -> None:
    shown = {display["Topic"]["Value"] for display in rviz_pictures()}
    assert shown - {"/image"} <= {f"/{topic.name}" for topic in OUTPUTS}
    assert len(shown) == 4


def foxglove() -> dict[str, Any]:
    layout: dict[str, Any] = json.loads((CONFIG / "foxglove_layout.json").read_text())
    return layout


def test_foxglove_shows_topics_of_the_node(graph: tuple[Rules, list[Any]]) -> None:
    panels = foxglove()["configById"]
    images = {c["imageMode"]["imageTopic"] for name, c in panels.items() if name.startswith("Image!")}
    assert len(images) == 3
    assert {NAMESPACE + topic for topic in images} <= graph[0]["publish"]
    state = {c["topicToRender"] for name, c in panels.items() if name.startswith("Diagnostic")}
    assert state == {"/diagnostics"} <= graph[0]["publish"]


def test_foxglove_plots_values_of_the_diagnostics(graph: tuple[Rules, list[Any]]) -> None:
    """Rates are in every message, percentiles only once a frame was processed: those from the source."""
    from kd_seg_ros.node.diagnostics import QUANTITIES

    keys = {pair.key for message in graph[1] for status in message.status for pair in status.values}
    known = keys | {f"{quantity}_p{p}" for quantity in QUANTITIES for p in (50, 99)}
    plots = [c for name, c in foxglove()["configById"].items() if name.startswith("Plot!")]
    paths = [path["value"] for plot in plots for path in plot["paths"]]
    assert len(paths) == len(set(paths)) > 3
    for path in paths:
        match = re.fullmatch(r'/diagnostics\.status\[:\]\.values\[:\]\{key=="(\w+)"\}\.value', path)
        assert match
        assert match[1] in known


def test_every_foxglove_panel_has_one_place() -> None:
    def leaves(place: Any) -> list[str]:
        if isinstance(place, str):
            return [place]
        assert place["direction"] in ("row", "column")
        return leaves(place["first"]) + leaves(place["second"])

    layout = foxglove()
    assert sorted(leaves(layout["layout"])) == sorted(layout["configById"])


def test_qos_overrides_of_the_docs(tmp_path: Path) -> None:
    """The example in docs/ros.md does what it says."""
    page = (CONFIG.parent / "docs" / "ros.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (example,) = [block for block in blocks if "qos_overrides" in block]
    file = tmp_path / "qos.yaml"
    file.write_text(example)
    model = write_tiny_model(tmp_path / "tiny.onnx", 8, 8)
    client = Client("front")
    try:
        options = ["--params-file", str(file), "-p", f"model:={model}", "-p", "provider:=cpu"]
        with running_node("front", *options):
            find = client.node.get_publishers_info_by_topic
            assert wait_until(lambda: find("/front/segmentation/mask"))
            mask = find("/front/segmentation/mask")[0].qos_profile
            assert mask.reliability == ReliabilityPolicy.BEST_EFFORT
            assert mask.history in (HistoryPolicy.KEEP_LAST, HistoryPolicy.UNKNOWN)  # not told by discovery
            assert wait_until(lambda: find("/front/segmentation/confidence"))
            confidence = find("/front/segmentation/confidence")[0].qos_profile
            assert confidence.reliability == ReliabilityPolicy.RELIABLE
    finally:
        client.close()
