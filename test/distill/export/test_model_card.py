"""The model card of an exported file: what it says, and where it is stored."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import tiny_model

from distill.export.model_card import (
    EXTERNAL_LIMITATIONS,
    calibrated_card,
    external_card,
    save_with_card,
    write_thresholds,
)
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.opening import read_card


def test_a_card_is_read_back_from_the_files_metadata(tmp_path: Path) -> None:
    card = tiny_model.card(8, 12, name="stored")
    save_with_card(tiny_model.build(8, 12, None), card, tmp_path / "model.onnx")
    (entry,) = onnx.load(tmp_path / "model.onnx").metadata_props
    assert entry.key == "kd_seg_ros.card"
    found = ModelCard.from_json(entry.value)
    assert replace(found, digest="", digest_method="") == card


def test_the_card_of_an_external_network_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"a network")
    classes = {"road": (1, 2, 3), "car": (4, 5, 6)}
    card = external_card(path, classes, (50, 75), 0.8, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 7, 32)
    assert (card.name, card.class_names, card.palette) == ("net", ("road", "car"), ((1, 2, 3), (4, 5, 6)))
    assert (card.height, card.width, card.working_scale, card.parameters) == (50, 75, 0.8, 7)
    assert card.padding_multiple == 32
    assert card.config == {"wrapped": "net.onnx", "sha256": hashlib.sha256(b"a network").hexdigest()}
    assert card.limitations == EXTERNAL_LIMITATIONS
    assert ModelCard.from_json(card.to_json()) == card, "the vehicle accepts it"


def test_a_calibration_on_training_images_is_a_limitation_until_the_next_one() -> None:
    bars = {"confidence": [0.8], "accuracy": [0.7], "share": [1.0]}
    document: dict[str, Any] = {
        "method": "temperature",
        "parameters": {"temperature": 1.5},
        "scores": {name: {"full": {"ece": 0.1, "reliability": bars}} for name in ("none", "temperature")},
        "miou": {"full": 0.5},
        "expected_accuracy": {},
        "reported_on": {"images": 7},
    }
    card = tiny_model.card(8, 12, limitations="Calibrated on roads alone.")
    assert calibrated_card(card, document).measured_on == "", "as in files of earlier versions"
    data = {"dataset": "words", "split": "val", "source": "acdc in cameras", "trained_on": 3}
    for _ in range(2):
        card = calibrated_card(card, document | {"data": data})
        assert card.limitations.startswith(
            "Calibrated on roads alone. Calibrated on images that it was trained"
        )
        assert card.limitations.count("(3)") == 1
        assert card.measured_on == "7 images of acdc in cameras, val"
    card = calibrated_card(card, document | {"data": data | {"trained_on": 0}})
    assert card.limitations == "Calibrated on roads alone."


def test_thresholds_found_on_training_images_are_a_limitation(tmp_path: Path) -> None:
    path = tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 8, 12)
    for count, told in ((None, ""), (0, ""), (2, "Calibrated on images that it was trained on (2): ")):
        write_thresholds(path, (), tmp_path / "out.onnx", count)
        card = read_card(read_onnx_file(tmp_path / "out.onnx"))
        assert card is not None
        assert card.limitations.startswith(told)
        assert bool(card.limitations) == bool(told)
