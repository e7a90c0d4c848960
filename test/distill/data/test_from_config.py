"""From the configuration's data sets to frames and their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc
from data_trees import write_bdd10k, write_cityscapes, write_folder

from distill.config.data import DataConfig, SourceConfig
from distill.data.data_check import check_data
from distill.data.from_config import (
    frames_of,
    open_source,
    spread_evenly,
    training_parts,
    training_sampler,
)
from distill.data.mixture import MixtureSampler, mixed_frames
from distill.datasets.acdc import list_acdc
from distill.datasets.cityscapes import CITYSCAPES_MEAN, list_cityscapes
from distill.datasets.frame import Frame
from kd_seg_ros.common.errors import UserError

CLASSES = {"classes": ["sky", "road"], "values": {0: "sky", 1: "road"}}


def test_a_split_of_each_data_set(tmp_path: Path) -> None:
    write_acdc(tmp_path / "a")
    write_cityscapes(tmp_path / "c")
    fog = SourceConfig.model_validate({"root": str(tmp_path / "a"), "conditions": ["fog"]})
    assert open_source(fog, "val").complete() == list_acdc(tmp_path / "a", "val", ["fog"]).complete()
    cities = SourceConfig.model_validate({"dataset": "cityscapes", "root": str(tmp_path / "c")})
    assert open_source(cities, "train").complete() == list_cityscapes(tmp_path / "c", "train").complete()


def test_split_stands_for_the_folder_of_each(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_folder(tmp_path / split, [np.zeros((2, 3), np.uint8)])
    folder = {"dataset": "folder", "root": str(tmp_path)}
    source = SourceConfig.model_validate(folder | {"classes": CLASSES})
    assert [open_source(source, split).complete()[0].image.parts[-4] for split in ("train", "val")] == [
        "train",
        "val",
    ]
    assert open_source(source, "train").class_names == ("sky", "road")
    bare = SourceConfig.model_validate(folder | {"labels": None, "images": "train/images/{split}"})
    with pytest.raises(UserError, match=r"train/images/val does not exist"):
        open_source(bare, "val")


def test_several_are_drawn_from_by_their_weights(tmp_path: Path) -> None:
    write_acdc(tmp_path / "a", frames=1)
    write_cityscapes(tmp_path / "c")
    extra = {"dataset": "cityscapes", "root": str(tmp_path / "c"), "weight": 3}
    data = DataConfig.model_validate({"root": str(tmp_path / "a"), "extra": [extra], "draws": 16})
    parts = training_parts(data)
    frames = mixed_frames(parts)
    assert [len(part.frames) for part in parts] == [4, 4]
    assert frames[4].mean == CITYSCAPES_MEAN
    sampler = training_sampler(data, parts, seed=3)
    assert isinstance(sampler, MixtureSampler)
    drawn = [index for _, index in sampler]
    assert (len(drawn), sum(index < 4 for index in drawn)) == (16, 4)
    shared = [index for rank in (0, 1) for _, index in training_sampler(data, parts, 3, rank, 2)]
    assert sorted(shared) == sorted(drawn)


def test_a_sample_is_spread_evenly_and_the_same_each_time() -> None:
    frames = [Frame(Path(str(number)), None, "fog") for number in range(1000)]
    chosen = spread_evenly(frames, 100)
    assert [frame.image.name for frame in chosen[:3]] == ["0", "10", "20"]
    assert len(chosen) == 100
    assert spread_evenly(frames[:7], 100) == frames[:7]


def test_some_images_are_trained_on_several_times_an_epoch(tmp_path: Path) -> None:
    write_bdd10k(tmp_path, frames=4)
    values = {"dataset": "bdd10k", "root": str(tmp_path), "limit": 2, "draws": 6}
    data = DataConfig.model_validate(values)
    parts = training_parts(data)
    (part,) = parts
    every = frames_of(data.model_copy(update={"limit": None}), "train")
    assert part.frames == [every[0], every[2]]
    assert len(frames_of(data, "val")) == 4
    drawn = list(training_sampler(data, parts, seed=0))
    # Each of the two three times, every time in another pass, so that it is augmented differently.
    assert sorted(drawn) == [(number, index) for number in range(3) for index in range(2)]
    assert check_data(data, "none")["splits"]["train"]["images"] == 2
    assert not check_data(data, "none")["findings"]


def test_labels_that_are_missing_stop_the_training(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    next(tmp_path.glob("gt/fog/train/*/*.png")).unlink()
    with pytest.raises(UserError, match="has no labels"):
        training_parts(DataConfig.model_validate({"root": str(tmp_path)}))


def test_images_without_labels_may_be_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_bdd10k(tmp_path, frames=3)
    next(tmp_path.glob("labels/sem_seg/masks/train/*.png")).unlink()
    source = SourceConfig.model_validate({"dataset": "bdd10k", "root": str(tmp_path)})
    with pytest.raises(UserError, match=r"`data.unlabelled: skip` leaves such images out"):
        frames_of(source, "train")
    skipping = source.model_copy(update={"unlabelled": "skip"})
    frames = frames_of(skipping, "train")
    assert len(frames) == 2
    assert all(frame.labels is not None for frame in frames)
    assert not caplog.text, "the look at the data before training tells of them, once"
    open_source(skipping, "train").log_left_out(frames)
    assert caplog.messages == ["1 images without labels are left out, 2 stay"]
    for path in tmp_path.glob("labels/sem_seg/masks/train/*.png"):
        path.unlink()
    with pytest.raises(UserError, match="none of the 3 images has labels"):
        frames_of(skipping, "train")
