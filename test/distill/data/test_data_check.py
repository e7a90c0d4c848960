"""The look at the data before training: what stops it, what is told, and what the model card says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acdc_tree import write_acdc, write_png

from distill.config.data import DataConfig
from distill.data.data_check import (
    DATA_CHECK,
    check_data,
    describe_data,
    limitations,
    read_data_check,
    refuse_errors,
)
from kd_seg_ros.common.errors import UserError

CLASSES = {"classes": ["other", "road"], "values": {0: "other", 1: "road"}}


def folder(root: Path, labels: dict[str, np.ndarray], **changes: Any) -> DataConfig:
    """Write three images per split with the same labels, and return their configuration."""
    rng = np.random.default_rng(0)
    for split, values in labels.items():
        for number in range(3):
            image = rng.integers(0, 256, (*values.shape, 3), np.uint8)
            write_png(root / split / "images" / f"{number}.png", image)
            write_png(root / split / "labels" / f"{number}.png", values)
    content = {"dataset": "folder", "root": str(root), "classes": CLASSES} | changes
    return DataConfig.model_validate(content)


def messages(document: dict[str, Any], level: str) -> list[str]:
    return [finding["message"] for finding in document["findings"] if finding["level"] == level]


SOUND = np.array([[0, 1, 0, 1]], np.uint8)


def test_sound_data_are_counted_and_nothing_is_found(tmp_path: Path) -> None:
    document = check_data(folder(tmp_path, {"train": SOUND, "val": SOUND}))
    assert document["findings"] == []
    train = document["splits"]["train"]
    assert (train["images"], train["conditions"], train["sizes"]) == (3, {"normal": 3}, {"4×1": 3})
    assert train["classes"] == {"other": 0.5, "road": 0.5}
    assert train["ignored"] == 0
    refuse_errors(document)


def test_masks_of_0_and_255_are_refused(tmp_path: Path) -> None:
    masks = np.array([[0, 0, 0, 255]], np.uint8)
    document = check_data(folder(tmp_path, {"train": masks, "val": masks}))
    assert "train: 25 % of the pixels are 255 (ignored)" in messages(document, "oddity")
    assert "train: class road never occurs in the 3 images" in messages(document, "oddity")
    with pytest.raises(UserError, match=r"other is the only class .*\(values: \{255: …\}\)"):
        refuse_errors(document)


@pytest.mark.parametrize("split", ["train", "val"])
def test_labels_that_are_all_ignored_are_refused(tmp_path: Path, split: str) -> None:
    labels = {"train": SOUND, "val": SOUND} | {split: np.full((1, 4), 255, np.uint8)}
    with pytest.raises(UserError, match=f"{split}: all labels of the 3 images are 255"):
        refuse_errors(check_data(folder(tmp_path, labels)))


def test_faults_of_files_are_errors(tmp_path: Path) -> None:
    data = folder(tmp_path, {"train": SOUND, "val": SOUND})
    write_png(tmp_path / "val/labels/1.png", np.full((1, 4), 9, np.uint8))
    with pytest.raises(UserError, match=r"val/labels/1\.png holds the label values 9"):
        refuse_errors(check_data(data))
    assert check_data(data, "none")["findings"] == []


def test_validation_on_training_images_is_told_by_path_and_by_content(tmp_path: Path) -> None:
    data = folder(tmp_path, {"train": SOUND, "val": SOUND})
    same = data.model_copy(update={"images": "train/images", "labels": "train/labels"})
    (told,) = messages(check_data(same), "oddity")
    assert told.startswith("val: 3 of 3 images are training images, too")
    shutil.copy(tmp_path / "train/images/0.png", tmp_path / "val/images/2.png")
    (told,) = messages(check_data(data), "oddity")
    assert told.startswith("val: 1 images have the same content as training images")


def test_oddities_are_one_line_each(tmp_path: Path) -> None:
    data = folder(tmp_path, {"train": SOUND, "val": SOUND}, unlabelled="skip")
    write_png(tmp_path / "train/images/.ipynb_checkpoints/0.png", SOUND)
    (tmp_path / "val/labels/2.png").unlink()
    write_png(tmp_path / "train/images/0.png", np.zeros((1, 5, 3), np.uint8))
    write_png(tmp_path / "train/labels/0.png", np.array([[0, 1, 0, 1, 1]], np.uint8))
    write_png(tmp_path / "train/labels/8.png", SOUND)
    told = messages(check_data(data), "oddity")
    assert len(told) == 4
    for start in (
        "train: 1 label files have no image",
        "train: 1 hidden files",
        "train: images of 2 sizes: 4×1 (2), 5×1 (1)",
        "val: 1 images without labels are left out",
    ):
        assert any(line.startswith(start) for line in told), start


def test_the_card_says_what_was_counted_and_quotes_the_configuration(tmp_path: Path) -> None:
    write_acdc(tmp_path, frames=1)
    words = "ACDC, 1600 training images"
    data = DataConfig.model_validate({"root": str(tmp_path), "description": words})
    document = check_data(data)
    text = describe_data(document, data)
    assert text.startswith("train: 4 images (1 fog, 1 night, 1 rain, 1 snow), 20×12, read as acdc in")
    assert text.endswith(f'described as "{words}"')
    assert limitations(document, data).startswith("None were stated.")
    assert describe_data(None, data) == f'images not counted; described as "{words}"'
    (tmp_path / DATA_CHECK).write_text(json.dumps(document))
    assert read_data_check(tmp_path / "best.ckpt", data) == document
    other = data.model_copy(update={"root": "elsewhere"})
    assert read_data_check(tmp_path / "best.ckpt", other) is None
    (tmp_path / DATA_CHECK).write_text("{")
    assert read_data_check(tmp_path / "best.ckpt", data) is None
