"""Checks of the machine and of the networks before a run's folder is touched and the first epoch begins."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from PIL import Image
from torch.func import functional_call

from distill.checkpoints.trained_images import training_images_of
from distill.config import Config
from distill.datasets.frame import Frame
from distill.models.network import SegmentationNetwork
from kd_seg_ros.common.errors import UserError, first_line

_logger = logging.getLogger(__name__)

SHARED_MEMORY = Path("/dev/shm")
"""Where the workers put their batches for the process that trains."""

BYTES_PER_PIXEL = 4 * 3 + 8 + 4 + 1
"""Size of a training item per pixel: image, labels, border weights and the pixels to distil on."""

BATCHES_PER_WORKER = 2
"""Batches that a worker prepares in advance (PyTorch's ``prefetch_factor``)."""


def check_image_sizes(network: SegmentationNetwork, config: Config, validation: Frame) -> None:
    """Refuse a network that cannot take the images of training or validation.

    Some backbones take images of one size only. Nothing is computed: the tensors have no values.

    :param validation: one of the frames to validate on.
    :raises UserError: naming the size.
    """
    scale = config.data.working_scale
    sizes = [(config.train_size, "the crops of training")]
    # An image that cannot be read is reported where it is read.
    with suppress(OSError), Image.open(validation.image) as image:
        sizes.append(((round(image.height * scale), round(image.width * scale)), "the images of validation"))
    tensors = (*network.named_parameters(), *network.named_buffers())
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    training = network.training
    for size, what in sizes:
        try:
            with torch.no_grad():
                functional_call(network.eval(), state, (torch.empty(1, 3, *size, device="meta"),))
        except NotImplementedError:
            return  # an operation that only real tensors can do: the first step will tell
        except (AssertionError, RuntimeError, ValueError) as error:
            height, width = size
            raise UserError(
                f"the student cannot take {what}, {width}×{height} pixels ({first_line(error)}): change "
                "data.crop or data.working_scale, or choose a backbone without a fixed size"
            ) from error
        finally:
            network.train(training)


def check_accumulation(config: Config, batches: int) -> None:
    """Warn if gradients of more batches are to be summed than an epoch has.

    :param batches: batches per epoch.
    """
    wanted = config.training.accumulate
    if wanted > batches:
        _logger.warning(
            "training.accumulate of %d is more than the %d batches of an epoch: the weights change once an "
            "epoch, and by the gradients of %d batches divided by %d; give %d",
            *(wanted, batches, batches, wanted, batches),
        )


def check_seen_images(config: Config, validation: Sequence[Frame]) -> None:
    """Warn if the student starts or learns from a checkpoint that was trained on validation images."""
    places = {
        "the checkpoint that the student starts from": config.student.checkpoint,
        "the teacher": None if config.teacher is None else config.teacher.checkpoint,
    }
    for what, place in places.items():
        trained = None if place is None else training_images_of(Path(place))
        count = 0 if trained is None else trained.among(validation)
        if count:
            _logger.warning(
                "%s was trained on %d of the %d validation images: "
                "the scores do not tell how the student does on others",
                *(what, count, len(validation)),
            )


def check_shared_memory(config: Config, processes: int, validation: Frame) -> None:
    """Refuse to train with workers whose batches do not fit into shared memory: they would be killed.

    Validation, by one worker with whole images, takes its turn with training.

    :param processes: number of processes that train on this machine.
    :param validation: one of the frames to validate on.
    :raises UserError: with the size that is needed and what can be done.
    """
    workers = config.data.workers
    if workers == 0 or not SHARED_MEMORY.is_dir():
        return
    height, width = config.train_size
    batch = config.training.batch_size // processes * height * width * BYTES_PER_PIXEL
    per_worker = BATCHES_PER_WORKER * batch * processes
    whole = BATCHES_PER_WORKER * _whole_image(validation) * processes
    needed = max(workers * per_worker, whole)
    free = shutil.disk_usage(SHARED_MEMORY).free
    if needed <= free:
        return
    fitting = free // per_worker if whole <= free else 0
    raise UserError(
        f"the workers' batches need {_mib(needed)} of shared memory, and {SHARED_MEMORY} has "
        f"{_mib(free)} free: start the container with --shm-size={_gib(needed)}g (Docker has "
        f"64 MiB by default), or give --data.workers {fitting}"
    )


def _whole_image(frame: Frame) -> int:
    """Return the bytes of an image to validate on with its labels, 0 if it cannot be read."""
    with suppress(OSError), Image.open(frame.image) as image:
        return 4 * image.width * image.height
    return 0


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def _gib(size: int) -> int:
    return -(-size // (1 << 30))
