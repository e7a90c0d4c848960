"""Write docs/parameters.md from the node's parameter descriptors: python scripts/parameter_docs.py."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from kd_seg_ros.parameters import Parameters, descriptor

PAGE = Path(__file__).parent.parent / "docs" / "parameters.md"
HEAD = """# Parameters of segmentation_node

Generated from the node's descriptors by `python scripts/parameter_docs.py`; `ros2 param describe` shows the
same. Names that do not exist are refused at start. `live` ones can be changed while the node runs
(`ros2 param set`).

| parameter | default | values | live | meaning |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the content of the page."""
    rows = []
    for item in fields(Parameters):
        described = descriptor(item)
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        cells = [
            f"`{item.name}`",
            f"`{default}`" if default != "" else "empty",
            described.additional_constraints,
            "" if described.read_only else "yes",
            described.description,
        ]
        rows.append(f"| {' | '.join(cells)} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written to {PAGE}")
