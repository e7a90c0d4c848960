"""Class maps: names to trainIds, and every mistake in the file."""

from pathlib import Path

import pytest

from distill.datasets.class_map import label_map, read_class_map
from kd_seg_ros.common.errors import UserError


def test_values_go_to_the_places_of_their_names() -> None:
    table = label_map({0: "sky", 7: "road", 9: "road", 3: None}, ("road", "car", "sky"))
    assert isinstance(table, bytes)
    assert [table[i] for i in (0, 7, 9, 3, 255)] == [2, 0, 0, 255, 255]
    assert {table[i] for i in range(255) if i not in (0, 7, 9, 3)} == {254}  # unknown


def test_255_can_be_a_class() -> None:
    table = label_map({255: "road"}, ("road",))
    assert isinstance(table, bytes)
    assert table[255] == 0


def test_colours_and_our_names() -> None:
    from kd_seg_ros.common.classes import CLASS_NAMES

    table = label_map({(1, 2, 3): "bicycle", (0, 0, 0): None}, CLASS_NAMES)
    assert table == {(1, 2, 3): 18, (0, 0, 0): 255}


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text("classes: [sky, road]\nvalues: {0: road, 1: null}\n")
    chosen = read_class_map(path)
    assert (chosen.names, chosen.class_names, chosen.label_suffix) == (
        {0: "road", 1: None},
        ("sky", "road"),
        "",
    )
    path.write_text("colours: {128 64 128: road, '0, 0,0': null}\nlabel_suffix: _L\n")
    chosen = read_class_map(path)
    assert chosen.names == {(128, 64, 128): "road", (0, 0, 0): None}
    assert (len(chosen.class_names), chosen.label_suffix) == (19, "_L")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("values: {0: roda}", r"'roda' is none of the classes; did you mean 'road'\?"),
        ("values: {0: road}\ncolours: {1 2 3: road}", "exactly one of values and colours"),
        ("classes: [road]", "exactly one of values and colours"),
        ("values: {0: road}\nclass: [road]", "unknown key 'class'"),
        ("values: {0: road}\nclasses: [road, road]", "different names"),
        ("values: {0: road}\nclasses: road", "list of names"),
        ("values: [road]", "pairs like '0: road'"),
        ("values: {zero: road}", "'zero' in values must be like '0: road'"),
        ("values: {256: road}", "256 is no 8-bit value"),
        ("values: {0: null}", "no value or colour stands for any class"),
        ("values: {0: 3}", "3 is no class name"),
        ("colours: {1 2: road}", "'1 2' in colours must be like '128 64 128: road'"),
        ("colours: {1 2 300: road}", "300 is no 8-bit value"),
        ("values: {0: road}\nlabel_suffix: 3", "label_suffix must be text"),
        ("values: {", "is not YAML"),
    ],
)
def test_mistakes_name_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_class_map(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.yaml cannot be read: No such file"):
        read_class_map(tmp_path / "gone.yaml")
