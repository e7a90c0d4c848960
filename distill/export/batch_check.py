"""Checking that the network in a model file answers several images of one run as it answers each alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from distill.export.agreement import HALF_LIMITS, brought_to
from distill.export.check_images import Pair
from distill.export.verified_export import opened_unchecked
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.batched_run import BatchedRun, open_batched
from kd_seg_ros.inference.binding import RunItem
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.prediction import Prediction
from kd_seg_ros.inference.settings import SessionSettings

IMAGES: Final = 3
"""Images of the run that is looked at; where there are fewer, mirrored ones take the place of the others."""


def check_batch(
    proto: onnx.ModelProto, card: ModelCard, out: Path, images: list[Pair], provider: str
) -> None:
    """Compare the answers to several images of one run with those of the file to each of them.

    :param out: where the file will be; it is not there yet.
    :param provider: what the file is run on, a key of :data:`kd_seg_ros.inference.providers.PROVIDERS`.
    :raises UserError: if an answer depends on which other images are in the run.
    """
    size = (card.height, card.width)
    shown = [brought_to(image, size) for image, _ in images[:IMAGES]]
    while len(shown) < IMAGES:
        shown.append(np.ascontiguousarray(shown[-1][:, ::-1] if len(shown) % 2 else shown[-1][::-1]))
    engine = opened_unchecked(proto, card, out, partial(Engine, provider=provider))
    alone = [engine.segment(image) for image in shown]
    opened = opened_unchecked(
        proto, card, out, partial(open_batched, settings=SessionSettings(provider, cuda_graph=False))
    )
    assert isinstance(opened.binding, BatchedRun)
    together = answers_together(opened.binding, shown)
    for one, other in zip(alone, together, strict=True):
        same = float(np.mean(one.mask == other.mask))
        apart = float(np.abs(one.confidence.astype(int) - other.confidence).mean() / 255)
        if same < HALF_LIMITS.argmax or apart > HALF_LIMITS.confidence:
            raise UserError(
                f"{out} was not written: an image that is run together with others gets another answer "
                f"than alone ({same:.2%} of the classes are the same, the confidence differs by {apart:.4f} "
                "in the mean): export it without --batch"
            )


def answers_together(binding: BatchedRun, images: list[NDArray[np.uint8]]) -> list[Prediction]:
    """Return the network's answers to RGB images of one size, all in one run."""
    answers = [Prediction.empty(image.shape[:2]) for image in images]
    items = []
    for image, answer in zip(images, answers, strict=True):
        outputs = answer.arrays()
        if binding.tells_distance:
            outputs[DOMAIN_DISTANCE] = np.empty(1, np.float32)
        items.append(RunItem(np.ascontiguousarray(image), False, outputs))
    binding.run_batch(items)
    return answers
