from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.imports.weights_file import read_weights_file
from kd_seg_ros.common.errors import UserError

STATE = {"module.model.a.weight": torch.ones(2), "module.model.a.num_batches_tracked": torch.tensor(3)}


@pytest.mark.parametrize("key", ["state_dict", "model", None])
@pytest.mark.parametrize("zipped", [True, False])
def test_harmless_values_next_to_the_tensors_are_read(key: str | None, zipped: bool, tmp_path: Path) -> None:
    metadata = {
        "args": argparse.Namespace(lr=np.float64(0.1), crop=[1, 2]),
        "best": np.float32(0.7),
        "curve": np.arange(3),
        "epoch": np.int64(5),
    }
    path = tmp_path / "theirs.pth.tar"
    content: dict[str, Any] = STATE if key is None else {key: STATE, **metadata}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert list(read_weights_file(path).tensors) == ["a.weight"]


@pytest.mark.parametrize(
    "meta", [{"CLASSES": ("road", "car")}, {"dataset_meta": {"classes": ["road", "car"], "palette": None}}]
)
def test_mmsegs_class_names(meta: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"meta": meta, "state_dict": STATE}, tmp_path / "theirs.pth")
    assert read_weights_file(tmp_path / "theirs.pth").class_names == ("road", "car")


class Danger:
    """What unpickling would run."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_else_is_unpickled(zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": STATE, "x": Danger()}, "theirs.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"holds posix\.mkdir besides tensors, and nothing is unpickled"):
        read_weights_file(Path("theirs.pth"))
    assert not Path("made-by-a-pickle").exists()


def test_files_that_are_none(tmp_path: Path) -> None:
    for content, told in (
        ({"student.a": torch.ones(1)}, "is a checkpoint of this project already"),
        ({"epoch": 3}, "is no dictionary of tensors"),
        ({"module.a": torch.ones(1), "a": torch.ones(1)}, "holds two tensors 'a'"),
    ):
        torch.save(content, tmp_path / "theirs.pth")
        with pytest.raises(UserError, match=told):
            read_weights_file(tmp_path / "theirs.pth")
    (tmp_path / "theirs.pth").write_bytes(b"PK\3\4 cut short")
    for name, told in (("theirs.pth", "cannot be read"), ("none.pth", "does not exist"), (".", "not a file")):
        with pytest.raises(UserError, match=told):
            read_weights_file(tmp_path / name)
