"""The ``check-data`` command: every kind of fault, each on its own and all at once."""

import json
from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc, write_png
from data_trees import TREES, data_options, write_folder

from distill.__main__ import main
from distill.datasets.registry import DATA_SETS


def arguments(dataset: str, root: Path) -> list[str]:
    return ["check-data", "--dataset", dataset, "--root", str(root), "--workers", "1"]


@pytest.mark.parametrize("dataset", DATA_SETS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_sound_data_set(
    dataset: str, split: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TREES[dataset](tmp_path, splits=("train", "test"))
    assert main(["check-data", *data_options(dataset, tmp_path, split), "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    # Labels of few classes are no fault, but what never occurs and what is ignored is told.
    told = split == "train" and dataset in ("cityscapes", "folder")
    assert printed.splitlines()[-1] == ("no faults, 2 findings" if told else "nothing wrong")
    assert ("classes never occur in the" in printed) == told
    assert (" 0 with labels" in printed) == (split == "test")


def test_only_some_weathers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_acdc(tmp_path)
    assert main([*arguments("acdc", tmp_path), "--conditions", "fog", "snow"]) == 0
    assert "ACDC train: 4 images" in capsys.readouterr().out


def test_every_fault_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_acdc(tmp_path, frames=3)
    images = sorted(tmp_path.glob("rgb_anon/*/train/*/*.png"))
    labels = sorted(tmp_path.glob("gt/*/train/*/*.png"))
    whole = images[0].read_bytes()
    images[0].write_bytes(whole[: len(whole) // 2])  # broken, but its labels are sound
    labels[1].write_bytes(b"")
    write_png(labels[2], np.full((12, 20), 33, np.uint8))
    write_png(labels[3], np.zeros((3, 3), np.uint8))
    write_png(labels[4], np.full((3, 3), 200, np.uint8))  # two faults in one file
    images[5].write_bytes(b"no image")  # both broken
    labels[5].write_bytes(b"no image")
    labels[6].unlink()
    images[7].unlink()
    write_png(labels[8], np.zeros((12, 20, 3), np.uint8))  # colours in place of trainIds
    images[6].write_bytes(b"")  # broken and without labels

    assert main([*arguments("acdc", tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    expected = [
        ("image", images[0]),
        ("labels", labels[1]),
        ("values", labels[2]),
        ("size", labels[3]),
        ("values", labels[4]),
        ("size", labels[4]),
        ("image", images[5]),
        ("labels", labels[5]),
        ("image", images[6]),
        ("labels", labels[8]),
        ("missing", images[6]),
        ("orphan", labels[7]),
    ]
    assert [(fault["kind"], fault["file"]) for fault in found["faults"]] == [(k, str(p)) for k, p in expected]
    assert found["counts"] == {"image": 3, "labels": 3, "values": 2, "size": 2, "missing": 1, "orphan": 1}
    assert (found["images"], found["labelled"]) == (11, 10)
    assert main(arguments("acdc", tmp_path)) == 1
    lines = capsys.readouterr().out.splitlines()
    for line, (_, path) in zip(lines, expected, strict=False):
        assert str(path) in line
    assert lines[-1] == "12 faults"
    assert "  2 label files with wrong values" in lines


def test_faults_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    colours = np.zeros((4, 5, 3), np.uint8)
    write_folder(tmp_path, [colours, colours + 1])
    (tmp_path / "classes.yaml").write_text("colours: {0 0 0: road}\n")
    folder = ["--dataset", "folder", "--images", str(tmp_path / "images"), "--workers", "1"]
    labels = ["--labels", str(tmp_path / "labels"), "--classes", str(tmp_path / "classes.yaml")]
    assert main(["check-data", *folder, *labels]) == 1
    assert "01.png holds the colours (1, 1, 1)" in capsys.readouterr().out
    assert main(["check-data", *folder]) == 0


def test_nothing_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments("bdd10k", tmp_path)) == 2
    assert str(tmp_path) in capsys.readouterr().err
