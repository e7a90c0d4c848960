"""Where a node's answers are found."""

from __future__ import annotations

from dataclasses import dataclass

from kd_seg_ros.common.topics import CONFIDENCE, MASK


@dataclass(frozen=True)
class OutputTopics:
    """Where a node publishes its answers."""

    mask: str
    confidence: str
    namespace: str
    """Of the node, for what it says of itself; the root is the empty text."""

    @classmethod
    def of(cls, namespace: str) -> OutputTopics:
        """Return the topics of a node that has not been remapped."""
        space = "/" + namespace.strip("/") if namespace.strip("/") else ""
        return cls(f"{space}/{MASK.name}", f"{space}/{CONFIDENCE.name}", space)
