"""The tables of docs/nav2.md list the parameters that the nodes have, with their defaults."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from kd_seg_ros.clouds.parameters import GroundParameters, PointsParameters

PAGE = Path(__file__).resolve().parents[3] / "docs" / "nav2.md"


@pytest.mark.parametrize(
    ("node", "table"), [("points_node", PointsParameters), ("ground_node", GroundParameters)]
)
def test_the_page_lists_every_parameter(node: str, table: Any) -> None:
    head = f"| parameter of {node} | default | meaning |\n|---|---|---|\n"
    rows = PAGE.read_text().split(head)[1].split("\n\n")[0]
    listed = re.findall(r"^\| `(\w+)` \| (?:`?([^`|]*?)`?) \|", rows, re.MULTILINE)
    expected = []
    for item in fields(table):
        default = str(item.default).lower() if isinstance(item.default, bool) else str(item.default)
        expected.append((item.name, default or "empty"))
    assert listed == expected
