"""Scores of files as they are written now are tested in test_onnx_file.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import tiny_model
from onnx import helper, numpy_helper

from distill.evaluation.onnx_predictor import ScoringEngine, open_engine


def test_files_of_earlier_versions_hold_the_scores_in_one_piece(tmp_path: Path) -> None:
    proto = tiny_model.build(5, 7, tiny_model.card(5, 7).to_json())
    pair = [
        helper.make_node("Neg", ["g32"], ["minus"]),
        helper.make_node("Concat", ["planes", "planes_2"], ["scores"], axis=0),
    ]
    for source, target in (("g32", "planes"), ("minus", "planes_2")):
        pair.insert(-1, helper.make_node("Unsqueeze", [source, "first"], [target]))
    proto.graph.node.extend(pair)
    proto.graph.initializer.append(numpy_helper.from_array(np.array([0]), "first"))
    onnx.save(proto, tmp_path / "old.onnx")
    image = np.random.default_rng(0).integers(0, 20, (5, 7, 3), dtype=np.uint8)
    engine = open_engine(tmp_path / "old.onnx", "cpu")
    assert isinstance(engine, ScoringEngine)
    green = image[..., 1].astype(np.float64)
    expected = np.stack([green, -green]) - np.logaddexp(green, -green)
    np.testing.assert_allclose(engine.predict(image).numpy(), expected, atol=1e-5)


def test_a_file_without_scores_has_mask_and_confidence_only(tmp_path: Path) -> None:
    path = tiny_model.write_tiny_model(tmp_path / "tiny.onnx", 5, 7)
    assert not isinstance(open_engine(path, "cpu"), ScoringEngine)
