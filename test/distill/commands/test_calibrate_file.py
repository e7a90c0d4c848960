"""``kd_seg calibrate`` on a wrapped or exported ONNX file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from acdc_tree import write_acdc, write_png
from PIL import Image
from strided_file import SIZE, write_strided_file

import distill.evaluation.reliability_diagram
from distill.__main__ import main
from distill.datasets.acdc import list_acdc
from distill.datasets.frame import read_image
from distill.export.file_model import FileModel, LogitsEngine
from distill.export.model_card import EXTERNAL_LIMITATIONS
from distill.metrics.risk_counts import count_risk
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.engine import Engine

TEMPERATURE = 2.0


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "wrapped.onnx"
    return write_strided_file(path, limitations=EXTERNAL_LIMITATIONS, agreement={"argmax": 1.0})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Path:
    """ACDC whose labels are drawn from the file's probabilities at a temperature."""
    root = write_acdc(tmp_path_factory.mktemp("acdc"), splits=("val",), frames=3, size=SIZE)
    model, rng = FileModel(LogitsEngine(file, "cpu")), np.random.default_rng(0)
    for frame in list_acdc(root, "val").complete():
        logits = model.logits(torch.from_numpy(read_image(frame.image)))[0].double()
        p = (logits / TEMPERATURE).softmax(0).numpy()
        assert frame.labels is not None
        write_png(frame.labels, (p.cumsum(0) > rng.random(SIZE)).argmax(0).astype(np.uint8))
    return root


@pytest.fixture(autouse=True)
def not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds."""
    monkeypatch.setattr(distill.evaluation.reliability_diagram, "write_diagrams", lambda *_: None)


def run(file: Path, data: Path, out: Path, *options: str) -> int:
    command = ["calibrate", "--model", str(file), "--dataset", "acdc", "--root", str(data)]
    return main([*command, "--out", str(out), *options])


def test_a_file_is_calibrated_in_its_graph_and_its_card(
    file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "calibrated.onnx"
    assert run(file, data, out, "--json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    engine = Engine(out, "cpu")
    card = engine.card
    assert card.calibration["parameters"]["temperature"] == pytest.approx(TEMPERATURE, rel=0.1)
    assert card.calibration["method"] == document["method"] == "temperature"
    assert (
        card.ece_after["full"] == document["scores"]["temperature"]["full"]["ece"] < card.ece_before["full"]
    )
    assert set(card.expected_accuracy) == set(card.reliability) == {"full", "fog", "night", "rain", "snow"}
    words = f"acdc in {data.name}, val"
    assert card.dataset == f"none; as a file calibrated on 12 images of {words}"
    assert card.measured_on == f"6 images of {words}"
    assert "has calibrated it" in card.limitations
    assert card.agreement == {"argmax": 1.0}  # that with the network in PyTorch

    image = read_image(next(data.glob("rgb_anon/fog/val/*/*.png")))
    before, after = Engine(file, "cpu").segment(image), engine.segment(image, probability=True)
    np.testing.assert_array_equal(after.mask, before.mask)
    logits = FileModel(LogitsEngine(file, "cpu")).logits(torch.from_numpy(image))[0].double()
    expected = (logits / card.temperature).softmax(0).amax(0)
    assert after.probability is not None
    np.testing.assert_allclose(after.probability, expected, atol=1e-4)


def test_thresholds_for_the_calibration_that_a_file_holds(
    file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "promised.onnx"
    rule = f"{_commonest(file, data)}=0.6"
    assert run(file, data, out, "--risk", rule, "--risk", "train=0.001") == 1
    printed = capsys.readouterr()
    assert "not promised: train=0.001 needs at least 999 images" in printed.err
    card, old = Engine(out, "cpu").card, Engine(file, "cpu").card
    (threshold,) = [found for found in card.risk if found.condition == "full"]
    assert str(threshold.rule) == rule
    assert card.calibration == old.calibration
    assert card.temperature == old.temperature
    assert (threshold.units, threshold.unit) == (12, "image")
    # The lowest threshold that keeps (Σ losses + 1) / 13 ≤ 0.6, from the masks that the vehicle publishes.
    losses = np.maximum.accumulate(_losses(file, data, threshold.classes)[:, 255::-1], axis=1)[:, ::-1]
    bound = (losses.sum(0) + 1) / (len(losses) + 1)
    assert threshold.level == np.flatnonzero(bound <= 0.6)[0]
    assert threshold.measured == pytest.approx(
        _losses(file, data, threshold.classes)[:, threshold.level].mean()
    )


def test_calibration_and_thresholds_at_once(file: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.onnx"
    rule = f"{_commonest(file, data)}=0.7"
    assert run(file, data, out, "--risk", rule, "--method", "class_temperature") == 0
    card = Engine(out, "cpu").card
    assert card.calibration["method"] == "class_temperature"
    (threshold,) = [found for found in card.risk if found.condition == "full"]
    assert threshold.units == 6  # the half that the calibration was not fitted on
    # Calibrated once more, the thresholds are gone, and what the card says of the data is not said twice.
    again = tmp_path / "again.onnx"
    assert run(out, data, again, "--pixels", "9000") == 0
    found = Engine(again, "cpu").card
    assert found.risk == ()
    assert found.dataset.count("calibrated on") == 1


def test_where_to_write_must_be_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--model", str(file)]) == 2
    assert "is an ONNX file: say by --out where to write the calibrated one" in capsys.readouterr().err


def _classes_of(card: ModelCard, names: tuple[str, ...]) -> np.ndarray:
    group = np.zeros(256, bool)
    group[[card.class_names.index(name) for name in names]] = True
    return group


def _losses(file: Path, data: Path, names: tuple[str, ...]) -> np.ndarray:
    """Share of wrong pixels by image and threshold."""
    engine = Engine(file, "cpu")
    group, rows = _classes_of(engine.card, names), []
    for frame in list_acdc(data, "val").complete():
        assert frame.labels is not None
        found = engine.segment(read_image(frame.image))
        labels = np.asarray(_labels(frame.labels))
        rows.append(count_risk(found.mask, found.confidence, labels, group, "false").losses("false"))
    return np.array(rows)


def _labels(path: Path) -> np.ndarray:

    return np.asarray(Image.open(path))


def _commonest(file: Path, data: Path) -> str:
    """Return the class that most pixels of the masks have."""
    engine = Engine(file, "cpu")
    masks = [engine.segment(read_image(frame.image)).mask for frame in list_acdc(data, "val").complete()]
    return engine.card.class_names[int(np.bincount(np.ravel(masks)).argmax())].replace(" ", "_")
