from __future__ import annotations

from pathlib import Path

import pytest

from distill.common.yaml_file import read_yaml
from kd_seg_ros.common.errors import UserError


def test_content_is_returned_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [1, {b: null}]", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml", "thing") == {"a": [1, {"b": None}]}


@pytest.mark.parametrize("content", [b"a: [", b"\x00", b"\xff\xfe\xfa"])
def test_what_is_no_yaml_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"^thing .*a\.yaml is not YAML") as error:
        read_yaml(tmp_path / "a.yaml", "thing")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^thing .*a\.yaml cannot be read: No such file"):
        read_yaml(tmp_path / "a.yaml", "thing")
