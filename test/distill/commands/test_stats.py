"""The ``stats`` command: what it prints, writes and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc
from data_trees import write_folder
from PIL import Image

from distill.__main__ import main


def test_table_json_and_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_acdc(tmp_path / "acdc")
    chart = tmp_path / "new" / "chart.png"
    where = ["--dataset", "acdc", "--root", str(tmp_path / "acdc"), "--split", "val", "--workers", "1"]
    assert main(["stats", *where, "--plot", str(chart)]) == 0
    printed = capsys.readouterr().out
    assert main(["stats", *where, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    files = sorted((tmp_path / "acdc/gt").glob("*/val/*/*.png"))
    labels = np.stack([np.array(Image.open(path)) for path in files])
    images = sorted((tmp_path / "acdc/rgb_anon").glob("*/val/*/*.png"))
    pixels = np.stack([np.array(Image.open(path)) for path in images]) / 255
    np.testing.assert_allclose(found["mean"], pixels.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found["std"], pixels.std((0, 1, 2)), rtol=1e-12)
    assert found["classes"]["car"]["pixels"] == (labels == 13).sum()
    assert found["classes"]["car"]["share"] == pytest.approx((labels == 13).sum() / (labels != 255).sum())
    assert found["ignored"]["share"] == pytest.approx((labels == 255).mean())
    assert (found["images"], len(found["classes"]), found["data"]) == (8, 19, "ACDC val")
    assert Image.open(chart).format == "PNG"
    assert "8 images" in printed
    assert ", ".join(f"{value:.5f}" for value in found["mean"]) in printed
    assert "traffic light" in printed


def test_images_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path, [np.zeros((4, 5), np.uint8)])
    images = ["--dataset", "folder", "--images", str(tmp_path / "images"), "--workers", "1"]
    assert main(["stats", *images]) == 0
    assert "no labels" in capsys.readouterr().out
    assert main(["stats", *images, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ignored"]["share"] is None
    assert main(["stats", *images, "--plot", str(tmp_path / "chart.png")]) == 2
    assert "no labelled pixels" in capsys.readouterr().err
    assert main(["stats", *images, "--plot", str(tmp_path / "chart.jpg")]) == 2
    assert "must end in .png" in capsys.readouterr().err


def test_missing_labels_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_acdc(tmp_path)
    next(tmp_path.glob("gt/rain/train/*/*.png")).unlink()
    assert main(["stats", "--dataset", "acdc", "--root", str(tmp_path), "--workers", "1"]) == 2
    error = capsys.readouterr().err
    assert "has no labels" in error
    assert "check-data" in error


def test_a_plot_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data set does not exist either; the destination is looked at first."""
    (tmp_path / "file").touch()
    (tmp_path / "dir.png").mkdir()
    for plot, reason in ((tmp_path / "file" / "x.png", "cannot write"), (tmp_path / "dir.png", "a folder")):
        words = ["--dataset", "folder", "--images", str(tmp_path / "nowhere"), "--plot", str(plot)]
        assert main(["stats", *words]) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1
