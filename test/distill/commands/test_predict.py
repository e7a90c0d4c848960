"""The command with the shipped student, and what it says."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.__main__ import main
from distill.scenes.render import render_scene


def test_one_image_with_the_shipped_student(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((72, 128, 3), 90, np.uint8))
    out = str(tmp_path / "out")
    assert main(["predict", str(tmp_path / "a.png"), "--provider", "cpu", "--out", out, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["frames"] == 1
    # An image of one grey is unlike every street.
    assert document["expected_accuracy"] is None
    assert (document["expected_accuracy_kind"], document["expected_accuracy_unknown"]) == ("unknown", 1)
    assert sum(document["classes"].values()) == pytest.approx(1)
    assert {path.name for path in Path(out).iterdir()} == {"mask", "confidence", "overlay", "predictions.csv"}


def test_the_expected_accuracy_of_a_street_is_corrected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = render_scene(5, (288, 512), "fog")
    for name, image in (("a", scene.rgb), ("b", np.full_like(scene.rgb, 90))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image[..., ::-1])
    out = tmp_path / "out"
    words = ["predict", str(tmp_path / "*.png"), "--provider", "cpu", "--out", str(out), "--save", "mask"]
    assert main(words) == 0
    with (out / "predictions.csv").open() as file:
        street, grey = csv.DictReader(file)
    assert (street["expected_accuracy_kind"], grey["expected_accuracy_kind"]) == ("corrected", "unknown")
    assert grey["expected_accuracy"] == ""
    mask = cv2.imread(str(out / "mask" / "a.png"), cv2.IMREAD_GRAYSCALE)
    true = np.mean(np.asarray(mask) == scene.labels)
    assert float(street["expected_accuracy"]) == pytest.approx(true, abs=0.1)
    share = f"{float(street['expected_accuracy']):.1%}"
    text = f"expected accuracy {share} (corrected; unknown for 1 of 2 frames)"
    assert text in capsys.readouterr().out


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
