"""An export in INT8: what the file holds, what its card says, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from acdc_tree import write_png
from stretched_network import Stretched, patches

from distill.config import Config
from distill.export import export_checkpoint, export_int8
from distill.export.agreement import Agreement, Limits
from distill.export.export_int8 import CalibrationImages
from distill.export.int8_layers import Choice
from distill.export.verified_export import VerifiedFile, check
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.engine import Engine


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a stand-in for a checkpoint, its file in half precision, and two images."""
    folder = tmp_path_factory.mktemp("int8")
    write_png(folder / "images" / "a.png", patches())
    write_png(folder / "images" / "b.png", 255 - patches())
    (folder / "x.ckpt").write_bytes(b"PK\x03\x04")
    config = Config.model_validate(
        {"name": "stretched", "data": {"root": "nowhere"}, "student": {"backbone": "resnet18"}}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export_checkpoint, "load_student", lambda _: (Stretched(1.0).eval(), config))
        patch.setattr(export_checkpoint, "read_calibration_document", lambda _: None)
        patch.setattr(export_checkpoint, "training_images_of", lambda _: None)
        export_checkpoint.export_checkpoint(folder / "x.ckpt", folder / "half.onnx", images=folder / "images")
        yield folder


def export(model: Path, name: str, calibration: Path | None = None) -> VerifiedFile:
    """Export in INT8, calibrated and checked on the two images."""
    folder = model.parent / "images"
    images = CalibrationImages(calibration or folder, count=2, seed=1)
    return export_int8.export_int8(model, model.with_name(name), calibration=images, images=folder)


def test_checkpoint_and_file_become_a_file_in_int8(files: Path) -> None:
    written = export(files / "x.ckpt", "int8.onnx")
    operators = Counter(node.op_type for node in onnx.load(written.path).graph.node)
    card = Engine(written.path, "cpu").card
    assert card.int8["layers"] + len(card.int8["kept"]) == 4
    assert (card.int8["images"], card.int8["source"]) == (2, "images of images, seed 1")
    assert operators["DequantizeLinear"] >= 2 * card.int8["layers"]  # of weights and of maps
    assert card.agreement["argmax"] >= 0.97
    # The same from the file in half precision.
    again = export(files / "half.onnx", "again.onnx")
    assert again.card.int8["layers"] == card.int8["layers"]
    found, wanted = Engine(again.path, "cpu"), Engine(written.path, "cpu")
    assert np.mean(found.segment(patches()).mask == wanted.segment(patches()).mask) > 0.97
    with pytest.raises(UserError, match="is in INT8 already"):
        export(again.path, "third.onnx")


def test_a_file_that_is_too_far_from_its_network_is_not_written(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_int8, "INT8_LIMITS", Limits(1.01, 1.0, 1.0, 0.0))
    with pytest.raises(UserError, match=r"not written.*argmax agreement .* is below 101\.0%"):
        export(files / "half.onnx", "far.onnx")
    assert not (files / "far.onnx").exists()


def test_more_layers_stay_in_floating_point_until_the_file_follows_its_network(
    files: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[float] = []

    def one_more_each_time(work: Mapping[str, int], _: object, least: float) -> Choice:
        kept = tuple(work)[: len(asked)]
        asked.append(least)
        return Choice(kept, {})

    def far_at_first(*arguments: Any) -> Agreement:
        found = check(*arguments)
        return replace(found, argmax=0.5) if len(asked) == 1 else found

    monkeypatch.setattr(export_int8, "choose_layers", one_more_each_time)
    monkeypatch.setattr(export_int8, "check", far_at_first)
    with caplog.at_level("INFO"):
        written = export(files / "half.onnx", "second.onnx")
    assert asked == [0.98, 0.99]
    assert written.card.int8["layers"] == 3
    assert "argmax agreement 50.00% is below 97.0%: more layers stay in floating point" in caplog.text


def test_a_network_of_sensitive_layers_is_refused_and_they_are_named(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_int8, "SEARCHED_AGREEMENTS", (1.01,))
    with pytest.raises(UserError, match=r"100% of the multiply-adds must stay .*; layers that change most"):
        export(files / "half.onnx", "sensitive.onnx")


def test_the_work_of_layers_is_counted(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def nothing_kept(work: Mapping[str, int], *_: object) -> Choice:
        seen.append(list(work.values()))
        return Choice((), {})

    monkeypatch.setattr(export_int8, "choose_layers", nothing_kept)
    export(files / "half.onnx", "work.onnx")
    places = (64 // 4) * (96 // 4)
    assert seen == [[places * n for n in (3 * 16 * 16, 16 * 16, 16 * 16, 16 * 19 * 9)]]


def test_folders_without_images_are_refused(files: Path, tmp_path: Path) -> None:
    for folder, words in ((tmp_path / "none", "is not a folder"), (tmp_path, "holds no image")):
        with pytest.raises(UserError, match=f"--calibration-images .*{words}"):
            export(files / "half.onnx", "x.onnx", folder)
