"""What a training has cost, over its resumption."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from distill.checkpoints.training_cost import COST_FILE, COST_KEY, cost_of_checkpoint
from distill.config import parse_config
from distill.training.cost import CostCounter
from kd_seg_ros.common.processor import processor

BATCH, BATCHES = 4, 3


class Line(lightning.LightningModule):
    """The smallest thing that can be trained and validated."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        return self.layer(batch).square().mean()

    def validation_step(self, batch: Tensor, _: int) -> None:
        self.log("loss", self.layer(batch).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(folder: Path, epochs: int, resume: bool = False) -> None:
    """Train in the folder of a run, as `fit` does, on the CPU."""
    values = {
        "name": folder.name,
        "out": str(folder.parent),
        "data": {"root": "data"},
        "student": {"backbone": "resnet18"},
        "training": {"batch_size": BATCH},
    }
    config = parse_config(values, "test")
    checkpoint = folder / "last.ckpt"
    keep = lightning.pytorch.callbacks.ModelCheckpoint(
        dirpath=folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
    )
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[CostCounter(config), keep],
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data: DataLoader[Tensor] = DataLoader(torch.ones(BATCH * BATCHES, 1), BATCH)  # type: ignore[arg-type]
    trainer.fit(Line(), data, data, ckpt_path=checkpoint if resume else None)


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / COST_FILE).read_text())
    return found


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a run of one epoch, and that of its resumption to three."""
    folder = tmp_path_factory.mktemp("cost")
    train(folder / "first", 1)
    shutil.copytree(folder / "first", folder / "whole")
    train(folder / "whole", 3, resume=True)
    return folder / "first", folder / "whole"


def test_images_epochs_and_seconds_add_up_over_a_resumption(resumed: tuple[Path, Path]) -> None:
    first, whole = document(resumed[0]), document(resumed[1])
    assert (first["images"], first["epochs"]) == (BATCH * BATCHES, 1)
    assert (whole["images"], whole["epochs"]) == (3 * BATCH * BATCHES, 3)
    assert whole["run"] == first["run"]
    assert set(whole["devices"]) == {processor()}
    assert whole["devices"][processor()] > first["devices"][processor()] > 0


def test_the_cost_of_a_checkpoint_is_that_of_its_whole_run(
    resumed: tuple[Path, Path], tmp_path: Path
) -> None:
    first, whole = resumed
    shutil.copy(first / "last.ckpt", tmp_path)
    shutil.copy(whole / COST_FILE, tmp_path)
    cost = cost_of_checkpoint(tmp_path / "last.ckpt")
    assert cost is not None
    assert cost.document() == document(whole)


def test_next_to_no_file_of_its_run_it_is_the_cost_until_the_checkpoint(
    resumed: tuple[Path, Path], tmp_path: Path
) -> None:
    first = document(resumed[0])
    shutil.copy(resumed[0] / "last.ckpt", tmp_path)
    for text in ("", "[]", json.dumps(document(resumed[1]) | {"run": "another"})):
        (tmp_path / COST_FILE).write_text(text)
        cost = cost_of_checkpoint(tmp_path / "last.ckpt")
        assert cost is not None
        assert (cost.images, cost.epochs) == (first["images"], 1)


def test_of_a_run_whose_beginning_was_not_counted_nothing_is_told(
    resumed: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(resumed[0], tmp_path / "run"))
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    del checkpoint["callbacks"][COST_KEY]
    torch.save(checkpoint, folder / "last.ckpt")
    train(folder, 2, resume=True)
    assert not (folder / COST_FILE).exists()
    assert cost_of_checkpoint(folder / "last.ckpt") is None
