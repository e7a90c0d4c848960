"""The command that measures: what it writes, test-time augmentation, submissions, exported files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml
from acdc_tree import write_acdc, write_png
from architectures import SMALL_BACKBONE
from PIL import Image

from distill.__main__ import main
from distill.checkpoints.student import deployed, load_student
from distill.commands.evaluate import below
from distill.datasets.frame import read_image
from distill.evaluation.evaluate import image_name
from distill.evaluation.image_scores import ImageScores
from distill.models.deployed import DeployedModel
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.contract import SCORES
from kd_seg_ros.inference.engine import Engine

SIZE = (64, 96)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_acdc(tmp_path_factory.mktemp("acdc"), frames=2, size=SIZE)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    config = {
        "name": "student",
        "out": str(folder),
        "data": {"root": str(data), "crop": [64, 64], "workers": 0},
        "student": {"model": "fpn_lite", "backbone": SMALL_BACKBONE, "channels": 8},
        "training": {"epochs": 1, "batch_size": 4, "accumulate": 1, "learning_rate": 0.02},
    }
    path = folder / "student.yaml"
    path.write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", str(path)]) == 0
    return folder / "student" / "best.ckpt"


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "student.onnx"
    size = ["--size", f"{SIZE[0]}x{SIZE[1]}"]
    assert main(["export", "--model", str(checkpoint), "--out", str(out), *size, "--limit", "2"]) == 0
    return out


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> DeployedModel:
    return deployed(*load_student(checkpoint))


def evaluate(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    out = tmp_path / "metrics.json"
    assert main(["evaluate", *arguments, "--out", str(out)]) == 0
    return dict(json.loads(out.read_text()))


def evaluate_fog(checkpoint: Path, out: Path) -> list[str]:
    """Return the command that scores a checkpoint on the foggy images alone."""
    return ["evaluate", "--model", str(checkpoint), "--conditions", "fog", "--out", str(out)]


def test_tables_lie_beside_the_checkpoint(checkpoint: Path, data: Path) -> None:
    assert main(["evaluate", "--model", str(checkpoint)]) == 0
    document = json.loads((checkpoint.parent / "best.metrics.json").read_text())
    images = ImageScores.load(checkpoint.parent / "best.images.npz")
    assert len(images) == document["scores"]["full"]["images"] == 8
    assert all((data / name).is_file() for name in images.names.tolist())
    with (checkpoint.parent / "best.per_class.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 19
    for row in rows:
        scores = document["scores"][row["condition"]]
        for column, value in (
            ("iou", scores["iou"]),
            ("ece_predicted", scores["ece_per_class"]),
            ("ece_classwise", scores["ece_classwise"]["per_class"]),
            ("auprc", scores["auprc"]["per_class"]),
        ):
            expected = value[row["class"]]
            assert row[column] == ("" if expected is None else str(expected))
    labelled = sum(int(row["labelled_pixels"]) for row in rows if row["condition"] == "full")
    assert labelled == document["scores"]["full"]["pixels"]


def test_a_score_below_what_is_asked_for_is_exit_status_1(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = evaluate_fog(checkpoint, tmp_path / "m.json")
    assert main([*command, "--min-miou", "100"]) == 1
    assert "is below --min-miou 100" in capsys.readouterr().err
    assert (tmp_path / "m.json").is_file()
    assert main([*command, "--min-miou", "0.65"]) == 2
    assert "must be in percent, 1…100, not 0.65" in capsys.readouterr().err


@pytest.mark.parametrize(("miou", "status"), [(0.65, 0), (0.6499, 1), (None, 1)])
def test_the_limit_itself_is_enough(miou: float | None, status: int) -> None:
    assert below(miou, 65) == status
    assert below(miou, None) == 0


def test_the_destination_is_tried_before_the_work(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("distill.evaluation.evaluate.evaluate", None)  # would end in a TypeError
    for out, reason in (
        (tmp_path / "file" / "m.json", "not a directory"),
        (tmp_path, "a folder has this name"),
    ):
        assert main(["evaluate", "--model", str(checkpoint), "--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert f"cannot write {out}" in error
        assert reason in error.lower() or "file exists" in error.lower()


def test_scores_that_cannot_be_written_are_printed(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise UserError("cannot write images.npz: no space left on device")

    monkeypatch.setattr("distill.evaluation.run_files.write_run", full_disk)
    command = evaluate_fog(checkpoint, tmp_path / "m.json")
    assert main(command) == 2
    printed = capsys.readouterr()
    assert "mIoU [%]" in printed.out
    assert "no space left on device" in printed.err


def test_options_add_scores(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--bins", "3", "--exact-auprc", "--conditions", "fog", "--json"]
    document = evaluate(tmp_path, "--model", str(checkpoint), *options)
    assert json.loads(capsys.readouterr().out) == document
    full = document["scores"]["full"]
    assert list(full["ece_by_bins"]) == ["1", "2", "3"]
    assert full["auprc_exact"]["thresholds"] is None
    # More thresholds resolve more; the two areas are close, not equal.
    assert full["auprc_exact"]["mean"] == pytest.approx(full["auprc"]["mean"], abs=0.1)


def test_views_are_averaged(checkpoint: Path, model: DeployedModel, data: Path, tmp_path: Path) -> None:
    options = ["--flip", "--scales", "1", "0.5", "--tile", "64x64", "--submission", str(tmp_path / "png")]
    document = evaluate(tmp_path, "--model", str(checkpoint), "--conditions", "snow", *options)
    assert document["options"] == {"flip": True, "scales": [1.0, 0.5], "tile": [64, 64], "overlap": 0.25}
    assert (tmp_path / "images.npz").is_file()
    path = sorted(data.glob("rgb_anon/snow/val/*/*.png"))[0]
    image = read_image(path)

    def p(view: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            return model.logits(torch.from_numpy(np.ascontiguousarray(view))).softmax(1)

    total = torch.zeros(1, 19, *SIZE)
    for mirrored in (False, True):
        view = image[:, ::-1] if mirrored else image
        whole = torch.zeros(1, 19, *SIZE)
        whole[..., :32], whole[..., 64:] = p(view[:, :64])[..., :32], p(view[:, 32:])[..., 32:]
        whole[..., 32:64] = (p(view[:, :64])[..., 32:] + p(view[:, 32:])[..., :32]) / 2
        half = view.reshape(32, 2, 48, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
        small = torch.nn.functional.interpolate(p(half), SIZE, mode="bilinear")
        total += (whole + small).flip(-1) if mirrored else whole + small
    with Image.open(tmp_path / "png" / path.name) as written:
        same = np.array(written) == total.argmax(1)[0].numpy()
    assert same.mean() > 0.99  # OpenCV rounds the small image's ties its own way


def test_predictions_of_images_without_labels(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    for path in sorted(data.glob("rgb_anon/*/val/*/*.png")):
        write_png(data / path.relative_to(data).as_posix().replace("/val/", "/test/"), read_image(path))
    command = ["evaluate", "--model", str(checkpoint), "--split", "test", "--conditions", "night"]
    out, folder = tmp_path / "metrics.json", tmp_path / "png"
    assert main([*command, "--out", str(out)]) == 2
    assert main([*command, "--out", str(out), "--submission", str(folder)]) == 0
    assert not out.exists()
    names = {path.name for path in data.glob("rgb_anon/night/test/*/*.png")}
    assert {path.name for path in folder.iterdir()} == names
    assert main([*command, "--out", str(out), "--submission", str(folder)]) == 2


def test_a_file_scores_as_the_vehicle_sees(exported: Path, data: Path, tmp_path: Path) -> None:
    options = ["--conditions", "rain", "--submission", str(tmp_path / "png")]
    document = evaluate(tmp_path, "--model", str(exported), *options)
    engine = Engine(exported, "cpu")
    assert document["model"]["parameters"] == engine.card.parameters
    full = document["scores"]["full"]
    assert full["auprc"]["mean"] > 0
    assert full["nll"] > 0
    for path in sorted(data.glob("rgb_anon/rain/val/*/*.png")):
        with Image.open(tmp_path / "png" / path.name) as written:
            np.testing.assert_array_equal(np.array(written), engine.segment(read_image(path)).mask)


def test_a_file_is_close_to_its_checkpoint(checkpoint: Path, exported: Path, tmp_path: Path) -> None:
    of_file = evaluate(tmp_path / "a", "--model", str(exported), "--flip")["scores"]["full"]
    of_network = evaluate(tmp_path / "b", "--model", str(checkpoint), "--flip")["scores"]["full"]
    assert of_file["miou"] == pytest.approx(of_network["miou"], abs=0.003)
    assert of_file["nll"] == pytest.approx(of_network["nll"], abs=0.01)


def test_an_older_file_gives_what_mask_and_confidence_tell(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proto = onnx.load(exported)
    for node in proto.graph.node:
        for names in (node.input, node.output):
            names[:] = [name.replace(f"{SCORES}.", "unnamed.") for name in names]
    card = json.loads(proto.metadata_props[0].value)
    del card["digest"], card["digest_method"]  # older files have none
    proto.metadata_props[0].value = json.dumps(card)
    old = tmp_path / "old.onnx"
    onnx.save(proto, old)
    expected = evaluate(tmp_path, "--model", str(exported))["scores"]["full"]
    found = evaluate(tmp_path, "--model", str(old))["scores"]["full"]
    assert "no AUPRC" in capsys.readouterr().out
    assert found["auprc"] is None
    assert found["confusion"] == expected["confusion"]
    assert found["ece"] == pytest.approx(expected["ece"], abs=1e-6)
    assert main(["evaluate", "--model", str(old), "--flip"]) == 2
    assert "export it again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bins", "0"], "--bins: must be a whole number, at least 1"),
        (["--tile", "1x"], "--tile: must be HEIGHTxWIDTH"),
        (["--submission", "{data}", "--conditions", "fog"], "is not empty"),
        (["--dataset", "folder"], "needs its image folder"),
    ],
)
def test_mistakes_end_in_one_line(
    checkpoint: Path, data: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--model", str(checkpoint), *(a.format(data=data) for a in arguments)]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_a_file_of_one_size_refuses_other_views(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--model", str(exported), "--scales", "0.5"]) == 2
    assert "evaluate the checkpoint" in capsys.readouterr().err


def test_images_are_named_below_the_root(tmp_path: Path) -> None:
    assert image_name(tmp_path / "fog" / "a.png", tmp_path) == "fog/a.png"
    assert image_name(Path("/elsewhere/a.png"), tmp_path) == "a.png"
