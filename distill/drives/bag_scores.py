"""Scores of a segmented bag.

mIoU and ECE are those of the maps in the bag; they need NumPy alone. AUPRC, Brier score and NLL need the
probabilities of all classes: for them the network runs a second time, on the labelled frames alone, and
PyTorch must be installed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from distill.drives.consistency import Consistency, describe_consistency
from distill.drives.labels import Labels
from distill.evaluation.image_scores import ImageScores
from distill.evaluation.mask_scores import MaskScores
from distill.evaluation.metrics_json import about_model_file, metrics_document
from distill.evaluation.score_table import print_scores as print_score_table
from kd_seg_ros.bags.messages import stamp_text
from kd_seg_ros.bags.segmented_frames import SegmentedFrame
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard

if TYPE_CHECKING:
    from distill.evaluation.evaluation import Evaluation
    from distill.evaluation.predictors import Predictor

ALL_CLASSES: Final = ("ece_classwise", "auprc", "brier", "nll")
"""Scores that need the probabilities of all classes."""

UNKNOWN: Final = "unknown"
"""Condition under which frames are scored whose weather the bag does not say."""

LOGGER = logging.getLogger(__name__)


def score(
    frames: Iterable[SegmentedFrame],
    labels: Labels,
    model: Path,
    card: ModelCard,
    provider: str | None,
    on_frame: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], ImageScores]:
    """Score the labelled frames.

    :param model: file that made the masks, with its card.
    :param provider: ONNX Runtime's, for the second run; None: leave out what needs it.
    :return: the content of metrics.json, see docs/metrics.md, and the scores of the single images, for
        :func:`~distill.evaluation.run_files.write_run`.
    :raises UserError: if labels do not fit, or none of the frames has any.
    """
    second_run = _second_run(model, provider) if provider else None
    seen = MaskScores(card.class_names)
    consistency = Consistency(len(card.class_names))
    count = 0
    for frame in frames:
        on_frame()
        truth = labels.of(frame)
        condition = labels.condition_of(frame) or UNKNOWN
        consistency.update(condition, frame.number, frame.mask, truth)
        if truth is None:
            continue
        count += 1
        name = frame.name or stamp_text(frame.stamp)
        try:
            seen.update_mask(condition, name, truth, frame.mask, frame.confidence / np.float32(255))
            if second_run:
                second_run.scores.update(condition, name, truth, second_run.predict(frame.image))
        except ValueError as error:
            raise UserError(f"the labels of frame {frame.number} ({name}): {error}") from error
    if not count:
        raise UserError("none of the frames that were segmented has labels")
    scores = seen.summary()
    if second_run:
        for condition, found in second_run.scores.summary().items():
            for key in ALL_CLASSES:
                scores[condition][key] = found[key]
    document = metrics_document(scores, card.class_names, about_model_file(model, card), labels.where)
    document["consistency"] = consistency.summary()
    return document, seen.images()


def print_scores(document: dict[str, Any]) -> None:
    """Print what :func:`score` returned, a column per condition."""
    print_score_table(document["scores"], document["classes"])
    for line in describe_consistency(document["consistency"]):
        print(line)
    if not all(scores["auprc"] for scores in document["scores"].values()):
        print("no AUPRC, Brier score and NLL: left out, or the file gives mask and confidence only")


def all_scores_possible() -> bool:
    """Say whether PyTorch and ONNX are there for a second run; log what is left out without them."""
    try:
        import distill.evaluation.evaluated_model
        import distill.evaluation.evaluation  # noqa: F401
    except ModuleNotFoundError as error:
        LOGGER.warning(
            "AUPRC, Brier score and NLL are left out: they need the offline half, pip install "
            f"'kd_seg_ros[distill]' ({error})"
        )
        return False
    return True


@dataclass(frozen=True)
class _SecondRun:
    """The network with the probabilities of all classes, and their scores."""

    predict: Predictor
    scores: Evaluation


def _second_run(model: Path, provider: str) -> _SecondRun | None:
    """Open a file for a second run; None if it gives mask and confidence only."""
    from distill.evaluation import evaluated_model
    from distill.evaluation.evaluation import Evaluation

    network = evaluated_model.open_onnx(model, provider)
    if network.predict is None:
        return None
    return _SecondRun(network.predict, Evaluation(network.class_names))
