"""Reading evaluations back, and refusing to compare what cannot be compared."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from evaluated import write_run

from distill.evaluation.evaluated_run import check_comparable, read_metrics, read_run
from kd_seg_ros.common.errors import UserError


def test_a_folder_and_its_file_are_the_same_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    by_folder, by_file = read_run(folder), read_run(folder / "best.metrics.json")
    assert by_folder.document == by_file.document
    assert by_folder.path == by_file.path
    assert by_folder.name.startswith("student (")
    assert len(by_folder.images) == 8


def test_tables_lie_beside_a_file_of_any_name(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    for name, table in (("metrics.json", "images.npz"), ("night.json", "night.images.npz")):
        (folder / name).write_bytes((folder / "best.metrics.json").read_bytes())
        (folder / table).write_bytes((folder / "best.images.npz").read_bytes())
        assert len(read_run(folder / name).images) == 8


def edited(folder: Path, **changes: object) -> Path:
    path = folder / "best.metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"schema_version": 1},
            "schema version 1; this software reads versions 2 and 3: evaluate the model again",
        ),
        ({"classes": ["road", "car"]}, "damaged: scores.full: iou is not of the 2 classes"),
        ({"classes": ["road", "car", "car"]}, "names a class twice"),
        ({"scores": {}}, "damaged: scores is {}"),
        ({"model": 1e308}, "damaged: model is 1e[+]308: input should be"),
        ({"created": -1}, "damaged: created is -1"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_run(edited(write_run(tmp_path), **changes))


def test_the_ece_of_version_2_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It counted confidence 1 as a bin of its own; the bars always had it in the last bin."""
    written = json.loads((write_run(tmp_path) / "best.metrics.json").read_text())
    older = copy.deepcopy(written)
    for scores in older["scores"].values():
        del scores["ece_torchmetrics"]
    path = edited(tmp_path, schema_version=2, scores=older["scores"]) / "best.metrics.json"
    same = read_metrics(path)["scores"]["full"]
    assert not caplog.records
    assert same["ece"] == pytest.approx(written["scores"]["full"]["ece"], abs=1e-12)
    assert same["ece_batched16"] == written["scores"]["full"]["ece_batched16"]

    older["scores"]["full"]["ece"] += 0.01
    edited(tmp_path, scores=older["scores"])
    found = read_metrics(path)["scores"]["full"]
    assert "computed again" in caplog.text
    assert found["ece"] == pytest.approx(written["scores"]["full"]["ece"], abs=1e-12)
    assert found["ece_torchmetrics"] == older["scores"]["full"]["ece"]
    assert found["ece_batched16"] is found["ece_classwise"] is None
    assert set(found["ece_per_class"].values()) == {None}


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="kd_seg evaluate --model"):
        read_run(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        read_run(tmp_path / "nowhere.json")
    other = tmp_path / "metrics.json"
    for text, message in (
        ("{", "is no JSON"),
        ("[]", "is no metrics.json"),
        ('{"schema_version": 2}', "created is missing"),
        ("[" * 100_000, "is no JSON"),
    ):
        other.write_text(text)
        with pytest.raises(UserError, match=message):
            read_run(other)
    folder = write_run(tmp_path / "run")
    (folder / "best.images.npz").unlink()
    with pytest.raises(UserError, match="is missing"):
        read_run(folder)


def test_runs_over_the_same_data_are_comparable(tmp_path: Path) -> None:
    check_comparable([read_run(write_run(tmp_path / str(seed), seed=seed)) for seed in range(3)])


def test_runs_over_other_data_are_not(tmp_path: Path) -> None:
    first = read_run(write_run(tmp_path / "a"))
    others = {
        "their classes are road, car, sky and road, car, tree": {"classes": ("road", "car", "tree")},
        "they are over 8 and 6 images": {"images": 6},
        r"the labels of fog/drive0/0\.png differ": {"labels_seed": 1},
    }
    for i, (message, options) in enumerate(others.items()):
        other = read_run(write_run(tmp_path / str(i), **options))  # type: ignore[arg-type]
        with pytest.raises(UserError, match=f"a/best.metrics.json and .*cannot be compared: {message}"):
            check_comparable([first, first, other])
    renamed = read_run(write_run(tmp_path / "renamed"))
    renamed.images.names[3] = "other.png"
    with pytest.raises(UserError, match=r"image 4 is night/drive0/3\.png and other\.png"):
        check_comparable([first, renamed])
