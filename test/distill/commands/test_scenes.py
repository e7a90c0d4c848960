from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--out"),
        (["--out", "x", "--size", "288"], "--size"),
        (["--out", "x", "--size", "9x9"], "--size"),
        (["--out", "x", "--train", "-1"], "--train"),
        (["--out", "x", "--val", "-2"], "--val"),
        (["--drive", "x", "--frames", "0"], "--frames"),
        (["--out", "x", "--seed", "-1"], "--seed"),
        (["--out", "x", "--workers", "0"], "--workers"),
        (["--out", "x", "--conditions", "fog", "hail"], "hail"),
        (["--out", "x", "--conditions", "clear"], "clear"),
    ],
)
def test_bad_options_end_with_one_line_and_status_2(
    arguments: list[str],
    word: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["scenes", *arguments]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert word in line
    assert not list(tmp_path.iterdir())


def test_all_three_in_one_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, bag, preview = tmp_path / "out", tmp_path / "bag", tmp_path / "preview.png"

    made = [
        "--out",
        str(out),
        "--train",
        "2",
        "--val",
        "1",
        "--drive",
        str(bag),
        "--frames",
        "2",
        "--with-labels",
    ]
    settings = ["--size", "40x64", "--conditions", "rain", "night", "--workers", "1"]
    status = main(["scenes", *made, "--preview", str(preview), *settings])

    assert status == 0
    assert len(list(out.rglob("*_rgb_anon.png"))) == 3
    assert (bag / "metadata.yaml").exists()
    sheet = np.asarray(cv2.imread(str(preview)))
    assert sheet.shape[1] == 3 * 64
    assert sheet.shape[0] > 2 * 40
    assert str(out) in capsys.readouterr().out
