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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "'a' stands twice, on lines 1 and 3"),
        ("a:\n  b: {c: 1,\n      c: 2}", "'c' stands twice, on lines 2 and 3"),
        ("a: {8: x, 0x8: y}", "'0x8' stands twice"),
        ("a: &a [*a]", "line 1: this value contains itself"),
        ("a: &a {<<: *a}", "contains itself"),
        ("[" * 2000, "nested too deeply|is not YAML"),
        ("a: " + "[" * 60 + "]" * 60, "nested too deeply: at most 50 levels"),
        (
            "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)),
            "more than",
        ),
        (
            "a0: &a0 {k: 1}\n"
            + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40)),
            "more",
        ),
        ("a: " + "9" * 5000, "is not YAML"),
        ("a: 2020-13-45", "is not YAML"),
        ("a: !!bool x", "is not YAML"),
        ("a: !!timestamp x", "is not YAML"),
        ("a: !!python/object/apply:os.getcwd []", "is not YAML"),
        ("? [a]\n: b", "is not YAML"),
        ("a: 1\n---\nb: 2", "is not YAML"),
    ],
)
def test_what_would_be_dropped_or_never_end_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        read_yaml(tmp_path / "a.yaml", "thing")
    assert str(error.value).startswith(f"thing {tmp_path / 'a.yaml'}")
    assert "\n" not in str(error.value)


def test_numbers_are_read_as_they_are_written(tmp_path: Path) -> None:
    text = "[010, 008, 0x10, 0o10, -012, 1_000, 1:30, 1:30.5, 1e-3, 1.5, .5, -.inf, 1.e+2, '010', 1e3]"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    expected = [10, 8, 16, 8, -12, 1000, "1:30", "1:30.5", 0.001, 1.5, 0.5, float("-inf"), 100.0, "010", 1e3]
    found = read_yaml(tmp_path / "a.yaml", "thing")
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


def test_merge_keys_and_anchors_stay(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a", encoding="utf-8")
    one = {"x": 1, "y": 2}
    assert read_yaml(tmp_path / "a.yaml", "thing") == {"a": one, "b": {"x": 1, "y": 3}, "c": one}


def test_a_file_of_megabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * (5 << 20))
    with pytest.raises(UserError, match=r"larger than 4 MiB"):
        read_yaml(tmp_path / "a.yaml", "thing")
