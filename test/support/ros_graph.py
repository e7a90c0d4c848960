"""What a node may do by config/sros2_policy.xml, and what it does by the ROS graph."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from rclpy.node import Node, NodeNameNonExistentError

KINDS = ("publish", "subscribe", "reply", "request")
Rules = dict[str, set[str]]
"""Names of topics and services by what the node does with them."""

POLICY = Path(__file__).resolve().parents[2] / "config" / "sros2_policy.xml"


def policy(node: str, namespace: str) -> Rules:
    """Return what the policy allows a node, under the names of a namespace."""
    root = ElementTree.parse(POLICY).getroot()
    (profile,) = root.findall(f"enclaves/enclave[@path='/kd_seg_ros/{node}']/profiles/profile")
    assert (profile.get("ns"), profile.get("node")) == ("/", node)
    allowed: Rules = {kind: set() for kind in KINDS}
    for group in profile:
        ((kind, rule),) = group.attrib.items()
        assert rule == "ALLOW"
        for element in group:
            name = element.text or ""
            if not name.startswith("/"):
                name = f"{namespace}/{name.replace('~', node)}"
            assert name not in allowed[kind], f"{name} twice"
            allowed[kind].add(name)
    return allowed


def seen(observer: Node, node: str, namespace: str) -> Rules:
    """Return the topics and services that a node has at this moment; none if it is not discovered yet."""
    who = (node, namespace)
    try:
        pairs = {
            "publish": observer.get_publisher_names_and_types_by_node(*who),
            "subscribe": observer.get_subscriber_names_and_types_by_node(*who),
            "reply": observer.get_service_names_and_types_by_node(*who),
            "request": observer.get_client_names_and_types_by_node(*who),
        }
    except NodeNameNonExistentError:
        return {kind: set() for kind in KINDS}
    return {kind: set(dict(found)) for kind, found in pairs.items()}
