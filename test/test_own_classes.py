"""docs/own_classes.md: its files and commands as they stand there, on a tiny folder with a tiny network."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from acdc_tree import write_png
from architectures import SMALL_BACKBONE

from distill.__main__ import main

PAGE = Path(__file__).resolve().parents[1] / "docs" / "own_classes.md"
SIZE = (64, 96)
TINY = {"model": "fpn_lite", "backbone": SMALL_BACKBONE, "channels": 8, "pretrained": False}
"""The network in place of the page's, which would take minutes."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def write_images(folder: Path) -> None:
    """Streets of two halves, road below and another class above, in the values of the page's classes.yaml."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for number in range(count):
            labels = np.full(SIZE, (0, 2, 3)[number % 3], np.uint8)
            labels[SIZE[0] // 2 :] = 1
            labels[0, :5] = 255
            image = 60 * labels[..., None] + rng.integers(0, 40, (*SIZE, 3), np.uint8)
            write_png(folder / split / "images" / f"{number}.png", image.astype(np.uint8))
            write_png(folder / split / "labels" / f"{number}.png", labels)


def test_the_page_leads_from_a_folder_to_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "my_data")
    for block in blocks("yaml"):
        name = block.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(block)
    config = yaml.safe_load((tmp_path / "own.yaml").read_text())
    config["student"] = TINY
    config["data"] |= {"crop": [32, 32], "workers": 0}
    config["training"] |= {"epochs": 1, "validate_every": 1}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))

    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 7
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "kd_seg"
        if words[0] == "check-data":
            words += ["--workers", "1"]  # starting processes takes longer than twelve images
        assert main(words) == 0, command
    assert "person" in capsys.readouterr().out
    masks = sorted((tmp_path / "masks" / "mask").glob("*.png"))
    assert len(masks) == 4
    mask = cv2.imread(str(masks[0]), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert mask.shape == SIZE
    assert mask.max() < 4
