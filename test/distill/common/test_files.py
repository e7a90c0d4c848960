"""Results as files: whole, in new folders, and one line where that is not possible."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from distill.common.files import plain, write_file, write_json
from kd_seg_ros.common.errors import UserError


def test_files_are_written_into_new_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "scores.json"
    write_json(path, {"miou": plain(0.5), "nll": plain(math.nan)})
    assert json.loads(path.read_text()) == {"miou": 0.5, "nll": None}
    assert path.read_text().endswith("}\n")
    write_file(path, "text")
    assert path.read_text() == "text"
    assert [file.name for file in path.parent.iterdir()] == ["scores.json"]


def test_what_json_has_no_word_for_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(path, {})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"nll": math.nan})
    assert path.read_text() == "{}\n"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*file/x\.json: "):
        write_json(tmp_path / "file" / "x.json", {})
