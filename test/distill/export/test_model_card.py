"""The model card of an exported file: what it says, and where it is stored."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import onnx
import tiny_model

from distill.export.model_card import EXTERNAL_LIMITATIONS, external_card, recalibrated_card, save_with_card
from kd_seg_ros.inference.card import ModelCard


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


def test_where_a_file_was_calibrated_is_said_once_and_a_folder_has_no_split() -> None:
    scores = {"full": {"ece": 0.1, "reliability": {}}}
    document = {
        "method": "none",
        "parameters": {},
        "data": {"dataset": "the folder yard/images", "split": ""},
        "fitted_on": {"images": 3, "pixels": 9},
        "reported_on": {"images": 2},
        "held_out": True,
        "scores": {"none": scores},
        "miou": {"full": 0.5},
        "expected_accuracy": {},
        "risk": [],
    }
    once = recalibrated_card(tiny_model.card(4, 6, dataset="streets"), document)
    assert once.dataset == "streets; as a file calibrated on 5 images of the folder yard/images"
    own = document | {"data": {"dataset": once.dataset, "split": "val"}, "held_out": False}
    again = recalibrated_card(once, own)
    assert again.dataset == "streets; as a file calibrated on 3 images of streets, val"
