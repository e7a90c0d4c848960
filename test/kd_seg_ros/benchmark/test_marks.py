from __future__ import annotations

from pathlib import Path

import pytest

from kd_seg_ros.benchmark.marks import marked, write_between_marks
from kd_seg_ros.common.errors import UserError

DOCUMENT = "# Title\n<!-- a -->\nold\n<!-- /a -->\n<!-- b -->\nkept\n<!-- /b -->\n"


def test_only_what_is_between_the_marks_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(DOCUMENT)
    for _ in range(2):
        write_between_marks(document, "a", r"new \1")
        assert document.read_text() == DOCUMENT.replace("old", "\nnew \\1\n")


def test_without_the_marks_it_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(DOCUMENT)
    with pytest.raises(UserError, match="has no marks <!-- c -->"):
        marked(document, "c", "")
    assert document.read_text() == DOCUMENT
    with pytest.raises(UserError, match=r"nowhere\.md cannot be read"):
        marked(tmp_path / "nowhere.md", "a", "")
