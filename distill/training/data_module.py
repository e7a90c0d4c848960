"""The batches of training and the images of validation, divided between the processes that train."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader

from distill.config import Config
from distill.data.appearance import Appearance
from distill.data.dataset import SegmentationDataset, init_worker
from distill.data.from_config import frames_of, training_parts, training_sampler
from distill.data.mixture import mixed_frames
from distill.data.transforms import TrainTransform, eval_transform
from kd_seg_ros.common.errors import UserError


class SegmentationDataModule(lightning.LightningDataModule):
    """Augmented crops to train on and whole images to validate on.

    The configuration's batch size is that of all processes together: each process takes its share of the
    frames that a single process would take.

    :param epochs_done: number of epochs that a resumed run has already done.
    :raises UserError: for files that are missing, or fewer images than a batch.
    """

    def __init__(self, config: Config, epochs_done: int = 0) -> None:
        super().__init__()
        data = config.data
        self.config = config
        self.epochs_done = epochs_done
        self.parts = training_parts(data)
        self.training = mixed_frames(self.parts)
        self.validation = frames_of(data, "val")
        self.images = len(training_sampler(data, self.parts, config.seed))
        if self.images < config.training.batch_size:
            raise UserError(
                f"{data.root}: {self.images} training images are fewer than a batch of "
                f"{config.training.batch_size}"
            )

    def check_processes(self, count: int) -> None:
        """Raise UserError unless the batch and the validation images can be divided between processes."""
        batch = self.config.training.batch_size
        if batch % count:
            raise UserError(
                f"a training.batch_size of {batch} cannot be divided between {count} processes evenly"
            )
        if len(self.validation) < count:
            raise UserError(f"{len(self.validation)} validation images are too few for {count} processes")

    def train_dataloader(self) -> DataLoader[Any]:
        """Return batches of augmented crops, in an order that depends on the seed and the epoch alone."""
        rank, count = self._process()
        config, data = self.config, self.config.data
        transform = TrainTransform(
            crop=data.crop,
            working_scale=data.working_scale,
            scale=data.scale,
            flip=data.flip,
            jitter=data.jitter,
            appearance=None if data.appearance is None else Appearance(**data.appearance.model_dump()),
            mean=data.mean,
            std=data.std,
        )
        sampler = training_sampler(data, self.parts, config.seed, rank, count)
        # Lightning tells the sampler its epoch too late on resuming: worker processes have fetched by then.
        sampler.set_epoch(self.epochs_done)
        return DataLoader(
            SegmentationDataset(self.training, transform, config.seed),
            batch_size=config.training.batch_size // count,
            sampler=sampler,
            num_workers=data.workers,
            persistent_workers=data.workers > 0,
            pin_memory=torch.cuda.is_available(),
            drop_last=True,
            worker_init_fn=init_worker,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Return whole images, one at a time."""
        rank, count = self._process()
        dataset = SegmentationDataset(self.validation[rank::count], eval_transform)
        return DataLoader(
            dataset,
            batch_size=None,
            num_workers=min(1, self.config.data.workers),
            pin_memory=torch.cuda.is_available(),
        )

    def _process(self) -> tuple[int, int]:
        """Return the rank of this process and the number of processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size
