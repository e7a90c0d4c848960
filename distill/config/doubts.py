"""Values of a configuration that are allowed and most likely a slip: far from all published recipes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from distill.config.experiment import Config

HIGHEST_RATE: Final = {"adam": 0.02, "adamw": 0.02, "sgd": 1.0}
"""Learning rate above which the weights usually diverge, by optimiser."""
LOWEST_RATE: Final = 1e-7
"""Learning rate below which half a million steps hardly change a weight."""
LARGE_BATCH: Final = 1024
LARGE_SUM: Final = 64
"""Most batches whose gradients are usually summed."""
MANY_EPOCHS: Final = 5000
WIDE: Final = 1024
"""Channels of a pyramid beyond any published one."""
STRONG_DECAY: Final = 0.5
SMALL_SIDE: Final = 32
"""Side of an image that the coarsest stage of a backbone, at stride 32, sees as one pixel."""
SHORT_AVERAGE: Final = 0.5


def doubts(config: Config, batches: int | None = None) -> list[str]:
    """Say which values look like a slip, and why, in a line each; empty if none does.

    :param batches: number of batches in an epoch; None: unknown.
    """
    return [*_rate_doubts(config), *_amount_doubts(config), *_length_doubts(config, batches)]


def _rate_doubts(config: Config) -> Iterator[str]:
    """Look at how far a step changes the weights."""
    training = config.training
    limit = HIGHEST_RATE[training.optimiser]
    groups = {"backbone_factor": training.backbone_factor, "head_factor": training.head_factor}
    fastest = max(groups, key=groups.__getitem__)
    rate = training.learning_rate * max(1.0, groups[fastest])
    if rate > limit:
        of = "" if groups[fastest] <= 1 else f" with training.{fastest} {groups[fastest]:g}"
        yield (
            f"training.learning_rate {training.learning_rate:g}{of} is high for {training.optimiser}: above "
            f"{limit:g} the weights usually diverge; published recipes have 0.00006 to 0.01"
        )
    if training.learning_rate < LOWEST_RATE:
        yield f"training.learning_rate {training.learning_rate:g} is so low that the weights hardly change"
    if training.weight_decay > STRONG_DECAY:
        yield (
            f"training.weight_decay {training.weight_decay:g} is strong: it pulls the weights to zero faster "
            "than the labels teach them; published recipes have 0 to 0.05"
        )
    if training.ema is not None and training.ema < SHORT_AVERAGE:
        yield f"training.ema {training.ema:g} averages hardly any steps: 0.99 to 0.9999 is usual"


def _amount_doubts(config: Config) -> Iterator[str]:
    """Look at what a step has in memory."""
    training, data = config.training, config.data
    height, width = config.train_size
    if training.batch_size > LARGE_BATCH:
        gigabytes = training.batch_size * 3 * 4 * height * width / 1e9
        yield (
            f"training.batch_size {training.batch_size} is large: the images of one batch alone take "
            f"{gigabytes:.1f} GB at {width}×{height} pixels; training.accumulate sums the gradients of "
            "several smaller batches"
        )
    if training.accumulate > LARGE_SUM:
        yield f"training.accumulate {training.accumulate} is large: so many batches change the weights once"
    channels = config.student.channels
    if channels is not None and channels > WIDE:
        yield f"student.channels {channels} is wide: the thesis has 320, and memory and time grow with it"
    if min(height, width) < SMALL_SIDE:
        yield (
            f"the crops of training are {width}×{height} pixels, from data.crop times data.working_scale: "
            f"below {SMALL_SIDE} the coarsest map of most networks is one pixel"
        )
    cores = os.cpu_count() or 1
    if data.workers > 4 * cores:
        yield f"data.workers {data.workers} is many for {cores} cores: the processes wait for one another"


def _length_doubts(config: Config, batches: int | None) -> Iterator[str]:
    """Look at how long the training is next to what is to happen in it."""
    training = config.training
    if training.epochs > MANY_EPOCHS:
        yield f"training.epochs {training.epochs} is long: published recipes have 40 to 500"
    if training.patience is not None and training.patience * training.validate_every >= training.last_epoch:
        yield (
            f"training.patience {training.patience} never stops the training: it has "
            f"{training.last_epoch // training.validate_every} validations"
        )
    if batches is not None:
        steps = -(-batches // training.accumulate) * training.last_epoch
        if training.warm_up >= steps:
            yield (
                f"training.warm_up {training.warm_up} is not over before the training is, after {steps} "
                "changes of the weights: the learning rate is never reached"
            )
