"""Running the networks over the images to show, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc

from distill.__main__ import main
from distill.metrics import confusion_matrix
from distill.report.predictions import predict
from distill.report.runs import Run, load_runs
from kd_seg_ros.common.classes import CLASS_NAMES


@pytest.fixture
def loaded(trained: Path) -> list[Run]:
    return load_runs([trained / "plain", trained / "taught"])


def test_predictions_are_those_that_were_evaluated(loaded: list[Run]) -> None:
    names = loaded[0].images.names.tolist()
    found = predict([(loaded[0], names[:1]), (loaded[1], names)], None)
    assert set(found.samples) == set(names)
    assert set(found.found) == {("plain", names[0]), *(("taught", name) for name in names)}
    for (label, name), prediction in found.found.items():
        run = loaded[label == "taught"]
        at = names.index(name)
        labels = found.samples[name].labels
        assert labels is not None
        matrix = confusion_matrix(labels, prediction.mask, 19)
        np.testing.assert_array_equal(matrix, run.images.confusion[at])
        mean = run.images.confidence[at].sum() / run.images.count[at].sum()
        assert prediction.confidence[labels != 255].mean() / 255 == pytest.approx(mean, abs=1 / 255)


def test_test_time_augmentation_is_done_again(trained: Path) -> None:
    checkpoint, out = trained / "plain/best.ckpt", trained / "plain/flipped.metrics.json"
    assert main(["evaluate", "--model", str(checkpoint), "--flip", "--out", str(out)]) == 0
    plain, flipped = load_runs([trained / "plain", out])
    name = str(plain.images.names[0])
    found = predict([(plain, [name]), (flipped, [name])], None)
    labels = found.samples[name].labels
    assert labels is not None
    for run in (plain, flipped):
        matrix = confusion_matrix(labels, found.found[run.label, name].mask, 19)
        np.testing.assert_array_equal(matrix, run.images.confusion[0])
    assert (plain.images.confusion[0] != flipped.images.confusion[0]).any()


def test_data_at_another_place(loaded: list[Run], data: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(data, tmp_path / "moved"))
    name = str(loaded[0].images.names[0])
    assert predict([(loaded[0], [name])], moved).samples[name].path.is_relative_to(moved)


def test_data_that_were_named_to_evaluate(trained: Path, data: Path) -> None:
    path = trained / "plain/best.metrics.json"
    document = json.loads(path.read_text())
    document["data"] = {"dataset": "acdc", "root": str(data), "split": "val"}
    path.write_text(json.dumps(document))
    run = load_runs([trained / "plain"])[0]
    assert predict([(run, run.images.names.tolist())], None).samples
    document["data"]["dataset"] = "folder"
    path.write_text(json.dumps(document))
    run = load_runs([trained / "plain"])[0]
    found = predict([(run, run.images.names.tolist())], None)
    assert "does not say where the labels of its images are: give --root" in found.notes()[0]


def test_a_folder_and_its_class_map_are_found_again(trained: Path, data: Path, tmp_path: Path) -> None:
    images, labels, classes = tmp_path / "images", tmp_path / "labels", tmp_path / "classes.yaml"
    images.mkdir()
    labels.mkdir()
    for number, path in enumerate(sorted(data.rglob("rgb_anon/*/val/**/*.png"))):
        shutil.copy(path, images / f"{number}.png")
        name = path.name.replace("_rgb_anon", "_gt_labelTrainIds")
        shutil.copy(next(data.rglob(f"gt/*/val/**/{name}")), labels / f"{number}.png")
    classes.write_text(json.dumps({"values": dict(enumerate(CLASS_NAMES))}))
    out = trained / "plain/folder.metrics.json"
    command = ["evaluate", "--model", str(trained / "plain/best.ckpt"), "--out", str(out)]
    options = ["--images", str(images), "--labels", str(labels), "--classes", str(classes)]
    assert main([*command, "--dataset", "folder", *options]) == 0
    run = load_runs([out])[0]
    found = predict([(run, ["1.png"])], None)
    labelled = found.samples["1.png"].labels
    assert labelled is not None
    matrix = confusion_matrix(labelled, found.found[run.label, "1.png"].mask, 19)
    np.testing.assert_array_equal(matrix, run.images.confusion[run.images.names.tolist().index("1.png")])


def test_other_images_or_labels_are_left_out(loaded: list[Run], tmp_path: Path) -> None:
    wanted = [(loaded[0], loaded[0].images.names.tolist())]
    labels = write_acdc(tmp_path / "labels", splits=("val",), frames=1, size=(48, 80), seed=1)
    assert "are not those that were evaluated: give --root." in predict(wanted, labels).notes()[0]
    other = write_acdc(tmp_path / "other", splits=("val",), frames=1)
    for path in sorted(other.rglob("*.png")):
        path.rename(path.with_name(path.name.replace("000000", "000009")))
    found = predict(wanted, other)
    assert not found.samples
    assert re.search(
        r"is not among the data .*the first there: .*_000009_.*: give --root\.$", found.notes()[0]
    )
    notes = predict(wanted, tmp_path / "nowhere").notes()
    assert len(notes) == 1
    assert "nowhere does not exist" in notes[0]
    assert notes[0].endswith(": give --root.")


def test_an_image_that_is_gone_costs_only_itself(loaded: list[Run], data: Path, tmp_path: Path) -> None:
    names = loaded[0].images.names.tolist()
    some = Path(shutil.copytree(data, tmp_path / "some"))
    next(some.rglob("rgb_anon/night/val/**/*.png")).unlink()
    next(some.rglob("gt/night/val/**/*_labelTrainIds.png")).unlink()
    (some / "rgb_anon/night/val/GP01/other_rgb_anon.png").write_bytes(b"")
    (some / "gt/night/val/GP01/other_gt_labelTrainIds.png").write_bytes(b"")
    found = predict([(run, names) for run in loaded], some)
    assert set(found.samples) == {name for name in names if "/fog/" in name}
    assert len(found.found) == 2
    assert found.notes()[0].startswith("1 of the images to show are left out: image rgb_anon/night/")


def test_results_kept_elsewhere_find_model_data_and_curve(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics in another folder than the run, made and read in different working folders."""
    monkeypatch.chdir(trained)
    out = tmp_path / "results" / "a.metrics.json"
    assert main(["evaluate", "--model", "plain/best.ckpt", "--out", str(out)]) == 0
    monkeypatch.chdir(tmp_path)
    run = load_runs([out])[0]
    assert run.folder == trained / "plain"
    assert run.config is not None
    names = run.images.names.tolist()
    found = predict([(run, names)], None)
    assert not found.notes()
    assert set(found.found) == {("plain", name) for name in names}
    # Another file of the same name next to the metrics is not taken for the model.
    shutil.copy(trained / "taught/best.ckpt", out.with_name("best.ckpt"))
    assert run.model_file == trained / "plain/best.ckpt"
    # On another machine neither place exists: the images are shown all the same.
    (trained / "plain/best.ckpt").unlink()
    out.with_name("best.ckpt").unlink()
    found = predict([(run, names)], None)
    assert set(found.samples) == set(names)
    places = f"{out.with_name('best.ckpt')} nor {trained / 'plain/best.ckpt'}"
    assert found.notes() == [f"Pictures show no prediction of plain: neither {places} exists."]


def test_another_model_or_temperature_predicts_nothing(loaded: list[Run], trained: Path) -> None:
    wanted = [(loaded[0], loaded[0].images.names.tolist())]
    loaded[0].document["model"]["calibration"] = {"method": "temperature", "parameters": {"temperature": 2.0}}
    found = predict(wanted, None)
    assert re.search(
        r"of plain: the calibration of .*best\.ckpt has changed since the evaluation", found.notes()[0]
    )
    shutil.copy(trained / "taught/best.ckpt", trained / "plain/best.ckpt")
    found = predict(wanted, None)
    assert re.search(r"plain/best\.ckpt has changed since the evaluation: evaluate", found.notes()[0])
    assert not found.found
    (trained / "plain/best.ckpt").unlink()
    Path(loaded[0].document["model"]["path"]).unlink(missing_ok=True)
    assert re.search(r"best\.ckpt (does not exist|exists)", predict(wanted, None).notes()[0])
