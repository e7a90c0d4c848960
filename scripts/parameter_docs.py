"""Write docs/parameters.md from the node's parameters and topics: ``python scripts/parameter_docs.py``."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from kd_seg_ros.common.topics import OUTPUTS
from kd_seg_ros.node.parameter_values import descriptor
from kd_seg_ros.node.parameters import CLASS_GROUP, CLASS_THRESHOLD, Parameters, full_name
from kd_seg_ros.node.qos import DEPTH

PAGE = Path(__file__).parent.parent / "docs" / "parameters.md"
HEAD = """# Parameters of segmentation_node

Generated from the node's descriptors by `python scripts/parameter_docs.py`; `ros2 param describe` shows the
same. At start, a name that is nearly one of these is refused; other names are ignored with a warning, since a
vehicle sets parameters for all its nodes in one place. `live` ones can be changed while the node runs
(`ros2 param set`), the others are refused. A dot separates a group from a name: in a YAML file the group is a
key that holds the names. `<class>` is the name of one of the model's classes with underscores for spaces.

| parameter | default | values | live | meaning |
|---|---|---|---|---|
"""
OUTPUTS_HEAD = """
## Output topics

Generated from the list of outputs by the same command. Names are relative to the node's namespace. What is
offered can be changed for each topic by `qos_overrides.<topic>.publisher.<policy>`, see [ros.md](ros.md).

| topic | type | offered | content |
|---|---|---|---|
"""


def page() -> str:
    """Return the content of the page."""
    rows: list[str] = []
    outputs: list[str] = []
    named = {full_name(item): item for item in fields(Parameters)}
    for name, item in (named | {f"{CLASS_GROUP}.<class>": CLASS_THRESHOLD}).items():
        described = descriptor(item)
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        cells = [
            f"`{name}`",
            f"`{default}`" if default != "" else "empty",
            described.additional_constraints,
            "" if described.read_only else "yes",
            described.description,
        ]
        rows.append(f"| {' | '.join(cells)} |\n")
    for topic in OUTPUTS:
        package, _, name = topic.type.split("/")
        qos = "reliable, depth 1, transient local" if topic.latched else f"reliable, depth {DEPTH}"
        outputs.append(f"| `{topic.name}` | `{package}/{name}` | {qos} | {topic.meaning} |\n")
    return HEAD + "".join(rows) + OUTPUTS_HEAD + "".join(outputs)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written to {PAGE}")
