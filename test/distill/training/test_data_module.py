"""What a training step and a validation see, alone and as one of several processes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from acdc_tree import write_acdc

from distill.config import Config, parse_config
from distill.training.data_module import SegmentationDataModule
from kd_seg_ros.common.errors import UserError


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    values = {
        "name": "x",
        "data": {
            "root": str(write_acdc(tmp_path_factory.mktemp("acdc"), size=(20, 32))),
            "crop": [16, 24],
            "working_scale": 1,
            "workers": 0,
        },
        "student": {"backbone": "resnet18"},
        "training": {"batch_size": 4},
    }
    return parse_config(values, "here")


def of_process(config: Config, rank: int, count: int) -> SegmentationDataModule:
    data = SegmentationDataModule(config, epochs_done=1)
    data.trainer = SimpleNamespace(global_rank=rank, world_size=count)  # type: ignore[assignment]
    return data


def test_processes_share_the_very_batches_of_one(config: Config) -> None:
    alone = list(SegmentationDataModule(config, epochs_done=1).train_dataloader())
    shares = [list(of_process(config, rank, 2).train_dataloader()) for rank in (0, 1)]
    assert len(alone) == len(shares[0]) == len(shares[1]) == 2
    for whole, *parts in zip(alone, *shares, strict=True):
        paths = [path for part in parts for path in part["path"]]
        assert sorted(paths) == sorted(whole["path"])
        order = [whole["path"].index(path) for path in paths]
        assert torch.equal(torch.cat([part["image"] for part in parts]), whole["image"][order])


def test_the_epoch_changes_the_order(config: Config) -> None:
    first = [batch["path"] for batch in SegmentationDataModule(config, 0).train_dataloader()]
    second = [batch["path"] for batch in SegmentationDataModule(config, 1).train_dataloader()]
    assert first != second


def test_validation_images_are_seen_once(config: Config) -> None:
    seen = [item["path"] for rank in range(3) for item in of_process(config, rank, 3).val_dataloader()]
    assert len(seen) == len(set(seen)) == 8


@pytest.mark.parametrize(("count", "message"), [(3, "of 4 cannot be divided between 3"), (16, "divided")])
def test_a_batch_that_cannot_be_divided_is_refused(config: Config, count: int, message: str) -> None:
    SegmentationDataModule(config).check_processes(2)
    with pytest.raises(UserError, match=message):
        SegmentationDataModule(config).check_processes(count)


def test_too_few_images(config: Config) -> None:
    def changed(**training: Any) -> Config:
        return config.model_copy(update={"training": config.training.model_copy(update=training)})

    with pytest.raises(UserError, match="8 training images are fewer than a batch of 9"):
        SegmentationDataModule(changed(batch_size=9))
    data = SegmentationDataModule(config)
    data.validation = data.validation[:1]
    with pytest.raises(UserError, match="1 validation images are too few for 2 processes"):
        data.check_processes(2)
