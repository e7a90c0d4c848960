"""``kd_seg calibrate --domain`` on files of every kind, alone and with its other options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acdc_tree import write_acdc
from strided_file import SIZE, write_strided_file

import distill.evaluation.reliability_diagram
from distill.__main__ import main
from distill.benchmarks.one_convolution import Kind, write_model
from distill.datasets.acdc import list_acdc
from distill.datasets.frame import read_image
from distill.evaluation.image_scores import ImageScores
from kd_seg_ros.inference.engine import Engine

KINDS: dict[str, dict[str, Any]] = {
    "single": {},
    "half": {"half": True},
    "any size": {"dynamic": True, "half": True},
    "resized": {"scale": 0.5},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_acdc(tmp_path_factory.mktemp("acdc"), splits=("val",), frames=5, size=SIZE)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A file that tells its domain distance."""
    folder = tmp_path_factory.mktemp("known")
    out = folder / "known.onnx"
    assert calibrate(write_strided_file(folder / "plain.onnx"), data, out, "--domain") == 0
    return out


@pytest.fixture(autouse=True)
def not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds."""
    monkeypatch.setattr(distill.evaluation.reliability_diagram, "write_diagrams", lambda *_: None)


def calibrate(file: Path, data: Path, out: Path, *options: str) -> int:
    command = ["calibrate", "--model", str(file), "--dataset", "acdc", "--root", str(data)]
    return main([*command, "--out", str(out), *options])


def distances(file: Path, data: Path) -> list[float]:
    engine, found = Engine(file, "cpu"), []
    for frame in list_acdc(data, "val").complete():
        distance = engine.segment(read_image(frame.image)).domain_distance
        assert distance is not None
        found.append(distance)
    return found


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_file_gets_a_distance_and_keeps_its_maps(
    kind: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    plain, out = write_strided_file(tmp_path / "plain.onnx", **kind), tmp_path / "out.onnx"
    assert calibrate(plain, data, out, "--domain") == 0
    card = Engine(out, "cpu").card
    assert card.domain["images"] == 20
    assert card.domain["source"] == f"acdc in {data.name}, val"
    assert max(distances(out, data)) < 2  # fitted on these images
    image = read_image(next(data.glob("rgb_anon/fog/val/*/*.png")))
    before, after = Engine(plain, "cpu").segment(image), Engine(out, "cpu").segment(image)
    np.testing.assert_array_equal(before.mask, after.mask)
    np.testing.assert_array_equal(before.confidence, after.confidence)


def test_a_file_may_be_replaced_by_itself_and_by_one_that_measures_anew(known: Path, data: Path) -> None:
    first = distances(known, data)
    again = known.with_name("again.onnx")
    again.write_bytes(known.read_bytes())
    assert calibrate(again, data, again, "--domain", "--conditions", "fog", "night", "rain", "snow") == 0
    np.testing.assert_allclose(distances(again, data), first, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        ("--risk", "road=0.9"),
        ("--method", "vector", "--risk", "road=0.9", "--unit", "drive"),
    ],
    ids=["thresholds", "calibration and thresholds per drive"],
)
def test_calibration_and_thresholds_come_into_the_same_file(
    options: tuple[str, ...], known: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all.onnx"
    calibrate(known, data, out, "--domain", "--pixels", "9000", "--json", *options)
    document = json.loads(capsys.readouterr().out)
    card = Engine(out, "cpu").card
    assert card.domain["images"] == 20
    assert distances(out, data) == pytest.approx(distances(known, data), rel=1e-5)
    assert [found.level for found in card.risk] == [found["level"] for found in document["risk"]]
    assert card.risk
    assert document["domain"] == card.domain
    if "--method" in options:
        assert card.calibration["method"] == document["method"]


def test_the_distance_stays_where_a_file_is_calibrated_later(known: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "later.onnx"
    assert calibrate(known, data, out, "--pixels", "9000") == 0
    assert Engine(out, "cpu").card.domain == Engine(known, "cpu").card.domain
    assert distances(out, data) == pytest.approx(distances(known, data), rel=1e-5)


def test_a_rule_that_is_not_promised_leaves_the_distance_to_the_given_file(
    known: Path, data: Path, tmp_path: Path
) -> None:
    """Where nothing was written for the rule, what an earlier run left there is no part of it."""
    out = tmp_path / "out.onnx"
    write_strided_file(out, name="left by an earlier run")
    assert calibrate(known, data, out, "--domain", "--risk", "road=0.001") == 1
    assert Engine(out, "cpu").card.name == Engine(known, "cpu").card.name


def test_evaluate_writes_the_distances(
    known: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--model", str(known), "--dataset", "acdc", "--root", str(data)]
    assert main([*command, "--out", str(tmp_path / "metrics.json")]) == 0
    printed = capsys.readouterr().out
    entry = json.loads((tmp_path / "metrics.json").read_text())["domain"]
    expected = np.array(distances(known, data))
    limit = Engine(known, "cpu").card.domain["quantiles"]["99"]
    assert entry["limit"] == limit
    assert entry["scores"]["full"]["images"] == 20
    assert entry["scores"]["full"]["median"] == pytest.approx(np.median(expected), rel=1e-6)
    assert entry["scores"]["fog"]["above_limit"] == np.mean(expected[:5] > limit)
    assert f"domain distance of fog: median {np.median(expected[:5]):.3f}" in printed
    images = ImageScores.load(tmp_path / "images.npz")
    assert images.domain_distance is not None
    np.testing.assert_allclose(images.domain_distance, expected, rtol=1e-6)
    # The mean of two views has no distance.
    assert main([*command, "--flip", "--out", str(tmp_path / "views.json"), "--limit", "2"]) == 0
    assert "domain" not in json.loads((tmp_path / "views.json").read_text())


def test_images_that_are_too_few_and_networks_without_early_maps_are_told_in_a_line(
    known: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.onnx"
    assert calibrate(known, data, out, "--domain", "--limit", "19") == 2
    assert f"error: {known} gets no domain distance" in capsys.readouterr().err
    fine = write_model(tmp_path / "fine.onnx", Kind(size=SIZE, stride=1))
    assert calibrate(fine, data, out, "--domain", "--risk", "road=0.9") == 2
    assert "no feature map of the network" in capsys.readouterr().err
    assert not out.exists()


def test_the_distance_alone_is_printed_as_json(
    known: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(known, data, tmp_path / "out.onnx", "--domain", "--json") == 0
    assert json.loads(capsys.readouterr().out)["domain"] == Engine(tmp_path / "out.onnx", "cpu").card.domain
