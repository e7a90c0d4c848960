"""The topics on which a node publishes its maps."""

from __future__ import annotations

from dataclasses import dataclass

from kd_seg_ros.common.topics import CONFIDENCE, MASK


@dataclass(frozen=True)
class OutputTopics:
    """Full names of a node's mask and confidence topics, and its namespace."""

    mask: str
    confidence: str
    namespace: str
    """Namespace of the node, by which its reports are recognised; empty for the root."""

    @classmethod
    def of(cls, namespace: str) -> OutputTopics:
        """Return the topics of a node that has not been remapped."""
        space = "/" + namespace.strip("/") if namespace.strip("/") else ""
        return cls(f"{space}/{MASK.name}", f"{space}/{CONFIDENCE.name}", space)
