"""The node that is measured: its own process, its namespace and its topics."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from kd_seg_ros.common.child_process import ChildProcess
from kd_seg_ros.common.node_command import node_command

NAMESPACE: Final = "/benchmark"
"""Namespace of the node that is measured."""
IMAGE: Final = f"{NAMESPACE}/image"
"""Topic of the camera that the node listens to."""


def segmentation_node(model: Path, provider: str, **parameters: object) -> ChildProcess:
    """Start the node in :data:`NAMESPACE`, with more of its parameters by name."""
    given = {"model": model, "provider": provider, "diagnostics.period_s": 0.2, **parameters}
    return ChildProcess("node", [sys.executable, *node_command(given, [f"__ns:={NAMESPACE}"])])
