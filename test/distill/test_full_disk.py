"""What a full disk leaves of every result: one line that names the file, and no part of a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from demo_drive import write_drive
from evaluated import write_run
from full_disk import disk_of
from matplotlib.figure import Figure
from tiny_model import card, write_tiny_model

from distill.checkpoints.checkpoint_file import save_checkpoint
from distill.commands import segment_bag as segment_bag_command
from distill.commands.make_bag import main as make_bag
from distill.commands.segment_bag import main as segment_bag
from distill.common.files import write_file, write_json
from distill.common.tensor_file import write_tensors
from distill.evaluation import submission
from distill.export.agreement import Agreement
from distill.export.model_card import write_thresholds
from distill.export.verified_export import write_checked
from distill.report.figures import write_files
from distill.report.table_files import write_tables
from distill.report.tables import Table
from distill.scenes.dataset import write_png
from distill.training.cached_maps import write_maps
from kd_seg_ros.common.errors import UserError

NOISE = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
BIG = {"w": torch.from_numpy(np.random.default_rng(0).normal(size=9000)).half()}
IMAGE = Path("a.png")

WRITERS: dict[str, Callable[[Path], object]] = {
    "metrics.json": lambda folder: write_json(folder / "m.json", ["x" * 9000]),
    "images.npz": lambda folder: write_run(folder, images=16),
    "checkpoint": lambda folder: save_checkpoint(BIG, folder / "last.ckpt"),
    "weights": lambda folder: write_tensors(folder / "w.safetensors", BIG),
    "teacher cache": lambda folder: write_maps(folder / "x.safetensors", BIG),
    "plot": lambda folder: write_files(Figure(), folder, "plot"),
    "tables": lambda folder: write_tables({"runs": [Table(["x" * 9000], [])]}, folder),
    "page": lambda folder: write_file(folder / "report.html", "x" * 9000),
    "prediction": lambda folder: submission.write(folder, IMAGE, NOISE),
    "scene": lambda folder: write_png(folder / "a.png", NOISE),
}


@pytest.mark.parametrize("name", WRITERS)
def test_one_line_and_no_part_of_a_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught, disk_of(1000):
        WRITERS[name](tmp_path)
    assert re.search(r"(cannot write .*: |cannot be written: )file too large", str(caught.value)), (
        caught.value
    )
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    WRITERS[name](tmp_path)
    assert list(tmp_path.iterdir())


def test_a_model_file_that_is_there_is_kept(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny.onnx", 48, 64)
    before = model.read_bytes()
    with pytest.raises(UserError, match=r"cannot write .*tiny\.onnx: file too large"), disk_of(1000):
        write_thresholds(model, (), model)
    assert model.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]


def test_an_export_whose_last_write_fails_leaves_no_part(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny.onnx", 48, 64)
    proto, agreement = onnx.load(model), Agreement(1, 1.0, 0.0, 0.0, True)
    out = tmp_path / "out" / "student.onnx"
    out.parent.mkdir()
    for kept in (b"", b"of an earlier export"):
        if kept:
            out.write_bytes(kept)
        with (
            pytest.raises(UserError, match=r"student\.onnx cannot be written: file too large"),
            disk_of(1000),
        ):
            write_checked(proto, card(48, 64), out, agreement)
        assert [path.read_bytes() for path in out.parent.iterdir()] == ([kept] if kept else [])


def test_a_bag_that_cannot_be_made_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    images = tmp_path / "images"
    for number in range(3):
        write_png(images / f"{number}.png", NOISE)
    for storage in ("mcap", "sqlite3"):
        with disk_of(2000):
            status = make_bag([str(images), "--out", str(tmp_path / "bag"), "--storage", storage, "--quiet"])
        error = capfd.readouterr().err
        assert (status, error.count("\n")) == (2, 1), error
        assert error.startswith(f"error: {tmp_path / 'bag'} cannot be written: ")
        assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_scores_of_a_bag_are_printed_all_the_same(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the video and the scores cannot be written, and the scores are printed."""
    bag = write_drive(tmp_path / "bag", 3)
    model = write_tiny_model(tmp_path / "tiny.onnx", 48, 64)
    video = tmp_path / "film.gif"
    command = [
        str(bag),
        "--model",
        str(model),
        "--provider",
        "cpu",
        "--out",
        str(tmp_path / "out"),
        "--quiet",
    ]
    command += ["--labels-topic", "/camera/labels", "--video", str(video)]
    write = segment_bag_command.write_run

    def full_disk(*arguments: Any) -> object:
        with disk_of(100):
            return write(*arguments)

    def no_room(*_: object) -> None:
        raise UserError(f"{video} cannot be written: no space left on device")

    monkeypatch.setattr(segment_bag_command, "_video", no_room)
    monkeypatch.setattr(segment_bag_command, "write_run", full_disk)
    assert segment_bag(command) == 2
    printed = capfd.readouterr()
    assert "mIoU [%]" in printed.out
    assert printed.err.splitlines()[-1] == f"error: {video} cannot be written: no space left on device"
    assert not list((tmp_path / "out").glob("*metrics*"))
