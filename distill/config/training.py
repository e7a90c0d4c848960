"""Section ``training``: optimisation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from distill.config.section import Count, Decay, NotNegative, Positive, Section


class TrainingConfig(Section):
    """Optimisation by Adam with the defaults of the thesis' Table 4.5."""

    epochs: Count = 250
    """Number of epochs, over which the learning rate falls to zero."""
    batch_size: Count = 8
    """Images per batch, all processes together."""
    accumulate: Count = 2
    """Batches whose gradients are summed before the weights are changed."""
    learning_rate: Positive = 4e-4
    """Learning rate at the start, of all weights but the backbone's."""
    backbone_factor: Positive = 0.25
    """The backbone's learning rate relative to ``learning_rate``."""
    betas: tuple[Decay, Decay] = (0.9, 0.99)
    """Decay per step of Adam's running means of the gradient and of its square."""
    weight_decay: NotNegative = 1e-4
    """Factor by which Adam adds the weights to their gradients (L2 regularisation)."""
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
    measured step costs about as much again as one step; null: none is measured."""
    gradient_clip: Positive | None = None
    """Greatest norm of the whole gradient, longer ones are shortened to it; null: none are."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay per step of an exponential moving average of the weights, which is then validated and kept in
    their place; null: no average."""
    patience: Count | None = None
    """Stop after this number of validations in a row without a better mIoU; null: train all epochs."""
    validate_every: Count = 1
    """Epochs from one validation to the next."""
    devices: Count | Literal["auto"] = "auto"
    """GPUs per machine, or processes on CPUs; ``auto``: torchrun's, or else all GPUs, or one process."""
    nodes: Count = 1
    """Machines that train together; the batch is divided between all their processes."""
    sync_batchnorm: bool = True
    """Take BatchNorm's statistics over the whole batch of all processes, as one process would."""

    @model_validator(mode="after")
    def _check_validation(self) -> TrainingConfig:
        if self.validate_every > self.epochs:
            raise ValueError("validate_every must not exceed epochs: no checkpoint would be chosen")
        return self
