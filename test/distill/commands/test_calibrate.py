"""The command on random weights; that the methods find the minima is tested with each of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from acdc_tree import write_acdc, write_png
from architectures import SMALL_BACKBONE
from drawn_from_network import relabel
from full_disk import disk_of
from torchmetrics.classification import MulticlassJaccardIndex

import distill.evaluation.reliability_diagram
from distill.__main__ import main
from distill.calibration.methods import METHODS
from distill.checkpoints.checkpoint_file import save_checkpoint
from distill.checkpoints.stored_calibration import UNCALIBRATED, load_calibration
from distill.checkpoints.student import build_network, deployed, load_student
from distill.config import Config, parse_config
from distill.datasets.acdc import list_acdc
from distill.datasets.frame import Sample, read_sample
from distill.export.model_card import trained_card
from distill.models.logit_calibration import NONE
from kd_seg_ros.inference.card import ModelCard

CONDITIONS = ("full", "fog", "night", "rain", "snow")
COMPARED = (UNCALIBRATED, *METHODS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_acdc(tmp_path_factory.mktemp("acdc"), splits=("val",), frames=3, size=(64, 100))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A student with random weights, as `fit` would write it."""
    student = {"backbone": SMALL_BACKBONE, "channels": 8, "pretrained": False}
    config = parse_config({"name": "random", "data": {"root": str(data)}, "student": student}, "the test")
    torch.manual_seed(0)
    state = {f"student.{key}": value for key, value in build_network(config.student).state_dict().items()}
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    values = config.model_dump(mode="json")
    save_checkpoint({"hyper_parameters": {"config": values}, "state_dict": state}, path)
    relabel(path, data)
    return path


def calibrate(checkpoint: Path, *arguments: str) -> dict[str, Any]:
    assert main(["calibrate", "--model", str(checkpoint), *arguments]) == 0
    document: dict[str, Any] = json.loads(checkpoint.with_suffix(".calibration.json").read_text())
    return document


def masks(checkpoint: Path, samples: list[Sample]) -> tuple[float, Config]:
    """Return the mIoU of a checkpoint under its calibration, by torchmetrics, and its configuration."""
    network, config = load_student(checkpoint)
    model = deployed(network, config, load_calibration(checkpoint) or NONE)
    jaccard = MulticlassJaccardIndex(19, average="none", ignore_index=255)
    present = set()
    for sample in samples:
        with torch.no_grad():
            mask = model(torch.from_numpy(sample.image))[0].long()
        labels = torch.from_numpy(sample.labels.astype(np.int64))  # type: ignore[union-attr]
        jaccard.update(mask, labels)
        present |= set(labels.unique().tolist()) - {255}
    assert len(present) == 19
    return float(jaccard.compute().mean()), config


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """The scores before and after that are drawn; drawing takes seconds."""
    found: list[tuple[Any, Any]] = []
    monkeypatch.setattr(
        distill.evaluation.reliability_diagram,
        "write_diagrams",
        lambda _, before, after, *__: found.append((before, after)),
    )
    return found


def test_json_is_what_is_written(
    checkpoint: Path, drawn: list[tuple[Any, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    document = calibrate(checkpoint, "--pixels", "1000", "--json")
    assert json.loads(capsys.readouterr().out) == document


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_all_methods_are_compared_and_one_is_kept(
    method: str,
    checkpoint: Path,
    data: Path,
    drawn: list[tuple[Any, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = calibrate(checkpoint, "--method", method)
    assert document["schema_version"] == 2
    assert document["method"] == method
    assert tuple(document["scores"]) == COMPARED
    assert all(tuple(document["scores"][name]) == CONDITIONS for name in COMPARED)
    # Three images a condition: two to one half and one to the other, the next condition the other way.
    assert (document["fitted_on"]["images"], document["reported_on"]["images"]) == (6, 6)
    assert document["held_out"] is True
    assert document["scores"][method]["full"]["images"] == 6

    samples = [read_sample(frame) for frame in list_acdc(data, "val").complete()]
    miou, config = masks(checkpoint, samples)
    assert document["miou"]["full"] == pytest.approx(miou, abs=1e-6)
    assert set(document["miou"]) == set(CONDITIONS)
    scores = {name: document["scores"][name]["full"] for name in COMPARED}
    for name in ("temperature", "class_temperature"):
        assert scores[name]["miou"] == pytest.approx(scores["none"]["miou"], abs=1e-3)
    # The labels were drawn at temperature 2, and what was found on one half serves the other.
    assert scores["temperature"]["nll"] < scores["none"]["nll"]
    assert scores[method]["nll"] == pytest.approx(scores["temperature"]["nll"], abs=0.02)
    if method == "temperature":
        assert document["parameters"]["temperature"] == pytest.approx(2, rel=0.15)

    captured = capsys.readouterr()
    printed = captured.out
    assert all(word in printed for word in (*COMPARED, "mIoU", "NLL (nats)", "Brier", "ECE snow [%]"))
    assert f"{100 * scores['vector']['ece']:.2f}" in printed
    assert f"\n{method}" in captured.err  # what was written
    assert drawn == [(document["scores"]["none"], document["scores"][method])]

    card = ModelCard.from_json(trained_card(config, document, (64, 100), 0).to_json())
    assert card.calibration == {"method": method, "parameters": document["parameters"]}
    assert card.temperature == (document["parameters"]["temperature"] if method == "temperature" else 1.0)
    assert card.miou == document["miou"]
    assert card.ece_before["night"] == document["scores"]["none"]["night"]["ece"]
    assert card.ece_after["night"] == document["scores"][method]["night"]["ece"]
    assert card.expected_accuracy == document["expected_accuracy"]
    assert set(card.expected_accuracy) == set(CONDITIONS)
    table = card.reliability["fog"]
    assert table == document["scores"][method]["fog"]["reliability"]
    assert {len(column) for column in table.values()} == {15}


@pytest.mark.usefixtures("drawn")
def test_on_a_full_disk_the_comparison_is_printed_and_the_earlier_file_stays(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = checkpoint.with_suffix(".calibration.json")
    stored.write_text("earlier")
    with disk_of(1000):
        status = main(["calibrate", "--model", str(checkpoint), "--pixels", "1000"])
    printed = capsys.readouterr()
    assert status == 2
    assert "mIoU [%]" in printed.out
    last = printed.err.splitlines()[-1]
    assert last.startswith(f"error: cannot write {stored}: file too large")
    assert stored.read_text() == "earlier"
    assert not list(checkpoint.parent.glob("*.tmp"))
    stored.unlink()


@pytest.mark.usefixtures("drawn")
def test_what_was_stored_is_what_was_scored(checkpoint: Path, data: Path) -> None:
    """The NLL of the held-out half in the document, recomputed from the stored parameters."""
    document = calibrate(checkpoint, "--method", "class_temperature", "--pixels", "20000")
    assert document["fitted_on"]["pixels"] == pytest.approx(20_000, abs=6)
    network, config = load_student(checkpoint)
    calibration = load_calibration(checkpoint)
    assert calibration is not None
    total, pixels = 0.0, 0
    for condition, numbers in (("fog", (1,)), ("night", (0, 2)), ("rain", (1,)), ("snow", (0, 2))):
        for number in numbers:
            sample = read_sample(list_acdc(data, "val", [condition]).complete()[number])
            assert sample.labels is not None
            with torch.no_grad():
                logits = deployed(network, config).logits(torch.from_numpy(sample.image))[0]
            labels = torch.from_numpy(sample.labels.astype(np.int64)).flatten()
            calibrated = calibration.apply(logits).flatten(1).T.double()
            total += float(
                torch.nn.functional.cross_entropy(calibrated, labels, ignore_index=255, reduction="sum")
            )
            pixels += int((labels != 255).sum())
    assert document["scores"]["class_temperature"]["full"]["pixels"] == pixels
    assert document["scores"]["class_temperature"]["full"]["nll"] == pytest.approx(total / pixels, rel=1e-5)


@pytest.mark.usefixtures("drawn")
def test_classes_with_too_few_pixels_are_named(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calibrate(checkpoint, "--pixels", "6000")
    printed = " ".join(capsys.readouterr().out.split())
    assert "vector: 19 of 19 classes keep the common temperature, with fewer than 1000 pixels" in printed


def test_a_single_image_is_not_held_out(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_acdc(tmp_path, splits=("val",), conditions=("snow",), frames=1)
    document = calibrate(checkpoint, "--root", str(root), "--conditions", "snow")
    assert document["held_out"] is False
    assert (document["fitted_on"]["images"], document["reported_on"]["images"]) == (1, 1)
    assert document["miou"]["full"] == pytest.approx(document["scores"]["temperature"]["full"]["miou"])
    assert "warning: a single image" in capsys.readouterr().err
    assert checkpoint.with_suffix(".reliability.png").read_bytes().startswith(b"\x89PNG")


def test_images_without_labelled_pixels_are_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_acdc(tmp_path, splits=("val",), conditions=("snow",))
    for path in root.glob("gt/*/val/*/*.png"):
        write_png(path, np.full((12, 20), 255, np.uint8))
    command = ["calibrate", "--model", str(checkpoint), "--conditions", "snow", "--root", str(root)]
    assert main(command) == 2
    assert "cannot be calibrated: no labelled pixel to calibrate on" in capsys.readouterr().err
    assert main([*command, "--pixels", "0"]) == 2
    assert "--pixels: must be a whole number, at least 1" in capsys.readouterr().err
