"""Which images a trained model is measured on."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc
from data_trees import write_bdd10k, write_folder

from distill.config.data import SourceConfig
from distill.data.evaluation_images import add_options, choose_frames
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def own(tmp_path: Path) -> SourceConfig:
    return SourceConfig.model_validate({"root": str(write_acdc(tmp_path / "acdc"))})


def test_by_default_the_trainings_own_validation_split(own: SourceConfig, tmp_path: Path) -> None:
    frames = choose_frames(options(), own, CLASS_NAMES)
    assert len(frames) == 8
    assert all("/val/" in str(frame.image) for frame in frames)
    some = choose_frames(options("--conditions", "fog", "snow", "--split", "train"), own, CLASS_NAMES)
    assert {frame.condition for frame in some} == {"fog", "snow"}
    moved = write_acdc(tmp_path / "moved", frames=1)
    assert len(choose_frames(options("--root", str(moved)), own, CLASS_NAMES)) == 4


def test_another_data_set_of_the_same_classes(own: SourceConfig, tmp_path: Path) -> None:
    write_bdd10k(tmp_path / "b")
    chosen = choose_frames(options("--dataset", "bdd10k", "--root", str(tmp_path / "b")), own, CLASS_NAMES)
    assert len(chosen) == 3
    assert chosen[0].labels is not None


def test_what_cannot_be_compared_is_refused(own: SourceConfig, tmp_path: Path) -> None:
    write_folder(tmp_path, [np.zeros((2, 3), np.uint8)])
    (tmp_path / "classes.yaml").write_text("classes: [road, sky]\nvalues: {0: road}\n")
    images = ("--dataset", "folder", "--images", str(tmp_path / "images"))
    labels = ("--labels", str(tmp_path / "labels"), "--classes", str(tmp_path / "classes.yaml"))
    with pytest.raises(UserError, match="has no labels to compare with"):
        choose_frames(options(*images), own, CLASS_NAMES)
    with pytest.raises(UserError, match=r"the data's classes \(road, sky\) are not the model's \(road, side"):
        choose_frames(options(*images, *labels), own, CLASS_NAMES)
    with pytest.raises(UserError, match="belong to --dataset folder"):
        choose_frames(options(*labels), own, CLASS_NAMES)
    with pytest.raises(UserError, match="give --dataset"):
        choose_frames(options(), None, CLASS_NAMES)


def test_weathers_of_a_data_set_that_has_none_are_refused(own: SourceConfig, tmp_path: Path) -> None:
    write_bdd10k(tmp_path / "b")
    asked = options("--dataset", "bdd10k", "--root", str(tmp_path / "b"), "--conditions", "fog")
    with pytest.raises(UserError, match="--conditions belongs to data set 'acdc', not 'bdd10k'"):
        choose_frames(asked, own, CLASS_NAMES)
    bdd = SourceConfig.model_validate({"dataset": "bdd10k", "root": str(tmp_path / "b")})
    assert len(choose_frames(options(), bdd, CLASS_NAMES)) == 3
    with pytest.raises(UserError, match="--conditions belongs to data set 'acdc', not 'bdd10k'"):
        choose_frames(options("--conditions", "fog"), bdd, CLASS_NAMES)
