"""A teacher that saw whole images: its logits are cut exactly as the images are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from acdc_tree import write_acdc
from architectures import SMALL_BACKBONE
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.config import Config, parse_config
from distill.data.transforms import TrainTransform
from distill.datasets.frame import Sample
from distill.models.output import Output
from distill.training.data_module import SegmentationDataModule
from distill.training.whole_images import WholeImages, cut_out, teacher_outputs
from kd_seg_ros.common.errors import UserError

CPU = torch.device("cpu")


class Brightness:
    """A teacher whose 'logits' are the image itself, so that what was cut out can be compared with it."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, image: torch.Tensor) -> Output:
        self.asked += 1
        return Output(logits=image, pre_logits=image[:, :0], features={})


def config_of(tmp_path: Path, **teacher: Any) -> Config:
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "teacher.ckpt").write_bytes(b"weights")
    data = {
        "root": str(write_acdc(tmp_path / "acdc", frames=1, size=(40, 64))),
        "crop": [40, 48],
        "working_scale": 1,
        "workers": 0,
    }
    values = {
        "name": "x",
        "out": str(tmp_path / "runs"),
        "data": data,
        "student": {"backbone": SMALL_BACKBONE},
        "teacher": {
            "checkpoint": str(tmp_path / "teacher.ckpt"),
            "cache": str(tmp_path / "cache"),
            "whole_images": True,
            **teacher,
        },
        "objective": {"logits": "kl", "features": [{"loss": "cwd", "maps": ["logits"]}]},
        "training": {"batch_size": 2},
    }
    return parse_config(values, "here")


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(60, 120),
    width=st.integers(60, 160),
    working_scale=st.sampled_from([0.5, 1, 1.25]),
    padded=st.booleans(),
)
def test_what_is_cut_out_lies_where_the_crop_lies(
    seed: int, height: int, width: int, working_scale: float, padded: bool
) -> None:
    """An image of two ramps is augmented; the same ramps as a map are cut out by the item's window."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)
    labels = np.zeros((height, width), np.uint8)
    crop = (192, 256) if padded else (40, 42)
    transform = TrainTransform(
        crop=crop, working_scale=working_scale, scale=(0.7, 1.5), jitter=0, mean=(0, 0, 0), std=(1, 1, 1)
    )
    item = transform(Sample(image, labels, "fog", Path("a.png")), np.random.default_rng(seed))
    whole = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))
    cut = cut_out(whole, item["window"], transform.size)
    shown = item["labels"] != 255
    assert bool(shown.all()) == (not padded)
    # At a crop's edges the one resampling sees the neighbours beyond the edge and the other does not.
    inside = -torch.nn.functional.max_pool2d(-shown[None].float(), 5, 1, 2)[0] > 0
    inside[:2], inside[-2:], inside[:, :2], inside[:, -2:] = False, False, False, False
    off = (255 * item["image"] - cut).abs()[:, inside]
    assert off.max() < 2.1  # each of the two resizings rounds to whole values, and the edges are in the rest
    assert off.mean() < 0.6


def test_the_window_of_an_item_that_shows_all_is_the_whole_image() -> None:
    transform = TrainTransform(crop=(40, 64), working_scale=1, scale=(1, 1), flip=True)
    sample = Sample(np.zeros((40, 64, 3), np.uint8), None, "fog", Path("a.png"))
    windows = {tuple(transform(sample, np.random.default_rng(n))["window"].tolist()) for n in range(12)}
    assert windows == {(0, 1, 0, 1), (0, 1, 1, 0)}


def test_a_flipped_cut_is_the_mirrored_one() -> None:
    logits = torch.randn(3, 10, 12)
    window = torch.tensor([0.1, 0.7, 0.2, 0.9])
    mirrored = torch.tensor([0.1, 0.7, 0.9, 0.2])
    cut, other = cut_out(logits, window, (20, 24)), cut_out(logits, mirrored, (20, 24))
    torch.testing.assert_close(cut.flip(-1), other)
    # The whole map at its own size is the map.
    torch.testing.assert_close(cut_out(logits, torch.tensor([0.0, 1, 0, 1]), (10, 12)), logits)


def test_each_image_is_shown_once_for_all_epochs_and_runs(tmp_path: Path) -> None:
    config, teacher = config_of(tmp_path), Brightness()
    data = SegmentationDataModule(config)
    twice = [*data.training, *data.training]
    outputs = WholeImages(config, twice)
    # Two processes share the images, and none is shown to both.
    outputs.fill(teacher, CPU, rank=0, processes=2)
    assert 0 < teacher.asked < len(data.training)
    outputs.fill(teacher, CPU, rank=0)
    assert teacher.asked == len(data.training)
    again = teacher_outputs(config, data.training)
    assert isinstance(again, WholeImages)
    again.fill(teacher, CPU)
    assert teacher.asked == len(data.training)
    for epoch in range(2):
        data.epochs_done = epoch
        for batch in data.train_dataloader():
            output = again(batch)
            assert output.logits.shape == (2, 3, 40, 48)
            assert output.logits.dtype == torch.float32


def test_another_teacher_has_files_of_its_own(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    before = WholeImages(config, []).folder
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "teacher.ckpt").write_bytes(b"other weights")
    assert WholeImages(config, []).folder != before


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    data = SegmentationDataModule(config)
    outputs = WholeImages(config, data.training)
    batch = next(iter(data.train_dataloader()))
    with pytest.raises(UserError, match=r"^teacher cache .*\.safetensors is damaged: delete it"):
        outputs(batch)
    outputs.fill(Brightness(), CPU)
    outputs(batch)
    file = outputs.file(batch["path"][0])
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(UserError, match="is damaged: delete it"):
        WholeImages(config, data.training)(batch)


def test_what_cannot_be_had_with_whole_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs teacher\.cache"):
        config_of(tmp_path / "a", cache=None)
    values = config_of(tmp_path / "b").model_dump(mode="json")
    values["objective"]["features"] = [{"loss": "cwd", "maps": ["P8"]}]
    with pytest.raises(UserError, match="compare no other maps"):
        parse_config(values, "here")
