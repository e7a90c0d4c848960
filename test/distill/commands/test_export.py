from __future__ import annotations

from pathlib import Path

import pytest

from distill.__main__ import main


def test_a_limit_for_tracing_any_size_is_refused_for_one_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ["--model", str(tmp_path / "best.ckpt"), "--out", str(tmp_path / "x.onnx")]
    assert main(["export", *paths, "--trace-limit", "5"]) == 2
    assert "--trace-limit belongs to --dynamic" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--calibration-count", "5"], "--calibration-count belongs to --int8"),
        (["--calibration-images", "x"], "--calibration-images belongs to --int8"),
        (["--int8", "--dynamic"], "--int8 is for images of one size: leave out --dynamic"),
    ],
)
def test_options_of_int8_and_those_that_it_excludes(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ["--model", str(tmp_path / "best.ckpt"), "--out", str(tmp_path / "x.onnx")]
    assert main(["export", *paths, *options]) == 2
    assert words in capsys.readouterr().err
