"""An export keeps in single precision what half precision cannot hold, and the card says what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from acdc_tree import write_png
from onnx import TensorProto
from stretched_network import Stretched, patches

from distill.config import Config
from distill.export import export_checkpoint as module
from distill.export.export_checkpoint import export_checkpoint
from kd_seg_ros.inference.batched_run import open_batched
from kd_seg_ros.inference.engine import Engine, EngineError
from kd_seg_ros.inference.settings import SessionSettings


@pytest.mark.parametrize(("factor", "kept"), [(1.0, set()), (1e6, {"large", "small"})])
def test_layers_at_fault_are_found_kept_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float, kept: set[str]
) -> None:
    write_png(tmp_path / "images" / "a.png", patches())
    network = Stretched(factor).eval()
    config = Config.model_validate(
        {"name": "stretched", "data": {"root": "nowhere"}, "student": {"backbone": "resnet18"}}
    )
    monkeypatch.setattr(module, "load_student", lambda _: (network, config))
    monkeypatch.setattr(module, "read_calibration_document", lambda _: None)
    monkeypatch.setattr(module, "training_images_of", lambda _: None)
    out = tmp_path / "x.onnx"
    batch = factor == 1.0
    written = export_checkpoint(tmp_path / "x.ckpt", out, images=tmp_path / "images", batch=batch)
    if batch:
        open_batched(out, SessionSettings("cpu"))
    else:
        with pytest.raises(EngineError, match="takes one image per run"):
            open_batched(out, SessionSettings("cpu"))
    assert written.card.agreement["argmax"] >= 0.995
    card = Engine(out, "cpu").card
    assert set(card.single_precision) == kept
    assert card.padding_multiple == 32
    weights = [w.data_type for w in onnx.load(out).graph.initializer if len(w.dims) == 4 and w.dims[0] > 1]
    assert weights.count(TensorProto.FLOAT) == len(kept)
    # The network itself is as it was.
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert np.isfinite(network.large.weight.detach().numpy()).all()
