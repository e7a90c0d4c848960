"""The command with the shipped student, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.__main__ import main


def test_one_image_with_the_shipped_student(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((72, 128, 3), 90, np.uint8))
    out = str(tmp_path / "out")
    assert main(["predict", str(tmp_path / "a.png"), "--provider", "cpu", "--out", out, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["frames"] == 1
    assert 0 <= document["expected_accuracy"] <= 1
    assert sum(document["classes"].values()) == pytest.approx(1)
    assert {path.name for path in Path(out).iterdir()} == {"mask", "confidence", "overlay", "predictions.csv"}


def test_an_earlier_video_is_kept_unless_it_may_be_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((72, 128, 3), 90, np.uint8))
    video = tmp_path / "v.mp4"
    video.write_bytes(b"earlier")
    words = ["predict", str(tmp_path / "a.png"), "--provider", "cpu", "--save", "--video", str(video)]
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert video.read_bytes() == b"earlier"
    assert main([*words, "--overwrite"]) == 0
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.png"], "no such file or folder"),
        ([".", "--save"], "nothing would be kept"),
        ([".", "--save", "masks"], "did you mean 'mask'"),
        ([".", "--video", "v.avi"], "ends in .mp4 or .gif"),
        ([".", "--every", "0"], "--every"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", np.zeros((8, 8, 3), np.uint8))
    assert main(["predict", *words]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]
