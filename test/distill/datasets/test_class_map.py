"""Class maps: names to trainIds, and every mistake in the file."""

from pathlib import Path

import numpy as np
import pytest

from distill.datasets.class_map import label_map, read_class_map
from distill.datasets.frame import Frame, to_train_ids
from kd_seg_ros.common.errors import UserError


def test_values_go_to_the_places_of_their_names() -> None:
    table = label_map({0: "sky", 7: "road", 9: "road", 3: None}, ("road", "car", "sky"))
    assert isinstance(table, bytes)
    assert [table[i] for i in (0, 7, 9, 3, 255)] == [2, 0, 0, 255, 255]
    assert {table[i] for i in range(255) if i not in (0, 7, 9, 3)} == {254}  # unknown


def test_255_can_be_a_class() -> None:
    table = label_map({255: "road"}, ("road", "sky"))
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
        ("values: {0: road}\nclasses: [road]", "2 to 254 different names"),
        ("values: {0: road}\nclasses: []", "2 to 254 different names"),
        ("values: {0: road}\nclasses: [road, ' ']", "' ' is no class name"),
        ("values: {0: road}\nclasses: [road, a b, a_b]", "'a b' and 'a_b' are one name"),
        ("values: {8: road, '008': sky}", "8 and '008' in values are the same"),
        ("values: {8: road, 8: sky}", "'8' stands twice, on lines 1 and 1"),
        ("colours: {1 2 3: road, '1, 2, 3': sky}", "in colours are the same"),
        ("values: {" + "9" * 5000 + ": road}", "in values must be like|is not YAML"),
        ("values: {0: road}\nrest: roof", "'roof' is none of the classes"),
        ("values: {0: road}\nrest: [road]", "is no class name"),
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


def test_the_rest_may_be_ignored_or_a_class(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    for rest, expected in (("null", 255), ("sky", 1)):
        path.write_text(f"classes: [road, sky]\nvalues: {{7: road}}\nrest: {rest}\n")
        table = read_class_map(path).label_map()
        assert isinstance(table, bytes)
        assert table == bytes([expected] * 7 + [0] + [expected] * 247 + [255])
        path.write_text(f"classes: [road, sky]\ncolours: {{1 2 3: road}}\nrest: {rest}\n")
        colours = read_class_map(path).label_map()
        pixels = np.array([[[1, 2, 3], [3, 2, 1], [255, 255, 255]]], np.uint8)
        frame = Frame(path, path, "normal", colours, 2)
        assert to_train_ids(pixels, frame).tolist() == [[0, expected, expected]]


def test_keys_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text("classes: [sky, grass, road]\nvalues:\n  008: sky\n  010: grass\n  011: road\n")
    assert read_class_map(path).names == {8: "sky", 10: "grass", 11: "road"}
