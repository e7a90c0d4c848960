"""Section ``training``: optimisation."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from distill.config.section import Count, Decay, Positive, Section

Epochs = Annotated[int, Field(gt=0, le=1_000_000)]
"""A number of epochs."""
Batches = Annotated[int, Field(gt=0, le=65_536)]
"""A number of batches, or of the images in one."""

BETAS: Final = (0.9, 0.99)
"""Decay of Adam's two running means where none is given: the thesis' Table 4.5."""
MOMENTUM: Final = 0.9
"""Momentum of SGD where none is given."""
POWER: Final = 0.9
"""Power of the polynomial schedule where none is given."""


class TrainingConfig(Section):
    """Optimisation; the defaults are those of the thesis' Table 4.5, Adam with a cosine schedule."""

    epochs: Epochs = 250
    """Number of epochs, over which the learning rate falls to zero."""
    stop_after: Epochs | None = None
    """Stop after this number of epochs, part of the way along the schedule that is made for ``epochs``; null:
    train all of them."""
    batch_size: Batches = 8
    """Images per batch, all processes together."""
    accumulate: Batches = 2
    """Batches whose gradients are summed before the weights are changed."""
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    """Adam, AdamW (whose weight decay leaves the gradients alone) or stochastic gradient descent with
    momentum."""
    learning_rate: Annotated[float, Field(gt=0, le=100)] = 4e-4
    """Learning rate at the start, before the factor of each group of weights."""
    backbone_factor: Positive = 0.25
    """Learning rate of the backbone, as a multiple of ``learning_rate``; of SwiftNet the projections of the
    backbone's stages belong to it. PIDNet has no such group: all of it learns as the rest."""
    head_factor: Positive = 1.0
    """Learning rate of all other weights, adapters included, as a multiple of ``learning_rate``."""
    betas: tuple[Decay, Decay] = BETAS
    """Decay per step of the running means of the gradient and of its square; only of adam and adamw."""
    momentum: Decay | None = None
    """Share of the step before that is added to each step, of sgd only; not given or null: 0.9."""
    weight_decay: Annotated[float, Field(ge=0, le=100)] = 1e-4
    """Factor by which weights are pulled to zero: added to their gradients by adam and sgd (L2
    regularisation), times the learning rate taken off the weights by adamw."""
    decay_norms: bool = True
    """Pull the weights and biases of normalisation layers to zero, too."""
    schedule: Literal["cosine", "polynomial"] = "cosine"
    """How the learning rates fall with the share p of ``epochs`` that is done: by (1 + cos πp)/2, or by
    (1 − p)^``power``."""
    power: Positive | None = None
    """Power of the polynomial schedule only; not given or null: 0.9."""
    warm_up: Annotated[int, Field(ge=0, le=10**9)] = 0
    """Changes of the weights over which the learning rates rise linearly to those of the schedule."""
    precision: Literal["auto", "64-true", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    """Number format; ``auto``: FP16 mixed precision on a GPU, FP32 on a CPU; ``64-true``: for comparisons."""
    compile: bool = False
    """Compile both networks by torch.compile. Off by default: it takes minutes at the start, and what it then
    saves on a GPU is for ``kd_seg benchmark --suite training`` to tell. Without a C++ compiler the networks
    run as they are, and the log says so."""
    logger: Literal["tensorboard", "csv", "wandb", "mlflow"] = "tensorboard"
    """Where the curves go: a folder of this name in the run's; wandb and mlflow are packages of their own."""
    gradient_shares: Count | None = 100
    """Changes of the weights from one measurement of each term's gradient next to the labels' to the next; a
    measured step took about a third longer with two terms (docs/training.md); null: none is measured."""
    gradient_clip: Positive | None = None
    """Greatest norm of the whole gradient, longer ones are shortened to it; null: none are."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay per step of an exponential moving average of the weights, which is then validated and kept in
    their place; null: no average."""
    patience: Epochs | None = None
    """Stop after this number of validations in a row without a better mIoU; null: train all epochs."""
    validate_every: Epochs = 1
    """Epochs from one validation to the next."""
    devices: Count | Literal["auto"] = "auto"
    """GPUs per machine, or processes on CPUs; ``auto``: torchrun's, or else all GPUs, or one process."""
    nodes: Annotated[int, Field(gt=0, le=10_000)] = 1
    """Machines that train together; the batch is divided between all their processes."""
    sync_batchnorm: bool = True
    """Take BatchNorm's statistics over the whole batch of all processes, as one process would."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """Give the momentum and the power, where there is one, if none is given."""
        if not isinstance(values, dict):
            return values
        filled = dict(values)
        if values.get("optimiser") == "sgd" and values.get("momentum") is None:
            filled["momentum"] = MOMENTUM
        if values.get("schedule") == "polynomial" and values.get("power") is None:
            filled["power"] = POWER
        return filled

    @model_validator(mode="after")
    def _check_together(self) -> TrainingConfig:
        """Refuse keys of another optimiser or schedule, and numbers of epochs that exclude one another."""
        if self.optimiser != "sgd" and self.momentum is not None:
            raise ValueError(f"momentum belongs to optimiser sgd: {self.optimiser} has betas")
        if self.optimiser == "sgd" and self.betas != BETAS:
            raise ValueError("betas belong to optimisers adam and adamw: sgd has momentum")
        if self.schedule != "polynomial" and self.power is not None:
            raise ValueError(f"power belongs to schedule polynomial, not {self.schedule}")
        if self.stop_after is not None and self.stop_after > self.epochs:
            raise ValueError("stop_after must not exceed epochs: the schedule would have ended before")
        if self.validate_every > self.last_epoch:
            most = "epochs" if self.stop_after is None else "stop_after"
            raise ValueError(f"validate_every must not exceed {most}: no checkpoint would be chosen")
        return self

    @property
    def last_epoch(self) -> int:
        """Number of epochs after which training ends."""
        return self.epochs if self.stop_after is None else self.stop_after
