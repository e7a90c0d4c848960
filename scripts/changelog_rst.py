"""Write CHANGELOG.rst, which bloom reads, from CHANGELOG.md: ``python scripts/changelog_rst.py``.

bloom puts the list of each version into the Debian changelog. It knows versions and lists, but no headings
within a version: these stand in bold before their entries here. A version without a date is "Forthcoming".
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "CHANGELOG.md", ROOT / "CHANGELOG.rst"
WIDTH = 110
WRAPPING: Any = {"subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
TITLE = "Changelog for package kd_seg_ros"


def main() -> None:
    """Write the file."""
    TARGET.write_text(as_rst(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written to {TARGET}")


def as_rst(markdown: str) -> str:
    """Return the changes as reStructuredText in the form that catkin_pkg reads."""
    mark = "^" * len(TITLE)
    lines = [mark, TITLE, mark]
    heading, entry = "", ""
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("  ") and entry:
            entry += f" {line.strip()}"
            continue
        # The line is no part of the entry before it, which is thereby whole: marks may stand on two lines.
        if entry:
            lines.append(textwrap.fill(f"* **{heading}**: {_inline(entry)}", WIDTH, **WRAPPING))
            entry = ""
        if line.startswith("## "):
            version = line.removeprefix("## ").strip()
            version = "Forthcoming" if "unreleased" in version else version
            lines += ["", version, "-" * len(version), ""]
        elif line.startswith("### "):
            heading = line.removeprefix("### ").strip()
        elif line.startswith("- "):
            entry = line.removeprefix("- ")
    return "\n".join(lines) + "\n"


def _inline(text: str) -> str:
    """Translate what stands between marks: code, links, and the characters that mean something in RST."""
    parts = re.split(r"(`[^`]*`)", text)
    for number, part in enumerate(parts):
        if number % 2:
            parts[number] = f"`{part}`"
        else:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", part)
            parts[number] = re.sub(r"([*_|])", r"\\\1", plain)
    return "".join(parts)


if __name__ == "__main__":
    main()
