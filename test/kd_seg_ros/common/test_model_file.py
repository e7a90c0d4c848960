from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.model_file import kind_of, require_kind


def test_the_content_counts_more_than_the_name(tmp_path: Path) -> None:
    misnamed = tmp_path / "student.onnx"
    with zipfile.ZipFile(misnamed, "w") as file:  # what torch.save writes
        file.writestr("archive/data.pkl", b"")
    assert kind_of(misnamed) == "checkpoint"
    model = write_tiny_model(tmp_path / "tiny.onnx", 32, 32)
    assert kind_of(model) == "onnx"
    assert kind_of(model.rename(tmp_path / "model.bin")) == "onnx"
    cut = tmp_path / "last.ckpt"
    cut.write_bytes(b"")
    assert kind_of(cut) == "checkpoint"


def test_the_wrong_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny.onnx", 32, 32)
    require_kind(model, "onnx")
    line = f"--model {model}: is an ONNX file, as `kd_seg export` writes it; needed here is a checkpoint, as"
    with pytest.raises(UserError, match=re.escape(line)):
        require_kind(model, "checkpoint")
    (tmp_path / "notes.yaml").write_text("classes: []")
    with pytest.raises(UserError, match=r"notes.yaml: is neither a checkpoint, as .*, nor an ONNX file"):
        kind_of(tmp_path / "notes.yaml")
    with pytest.raises(UserError, match="no such model file"):
        require_kind(tmp_path / "none.ckpt", "checkpoint")
