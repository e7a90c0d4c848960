"""Scores of a segmented bag, by the metrics of the offline half.

mIoU and ECE are those of the maps in the bag. AUPRC, Brier score and NLL need the probabilities of all
classes: for them the network runs a second time, on the labelled frames alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from distill.drives.acdc_labels import offline_half
from distill.drives.labels import Labels
from kd_seg_ros.bags.messages import stamp_text
from kd_seg_ros.bags.segmented_frames import SegmentedFrame
from kd_seg_ros.common.errors import UserError

ALL_CLASSES: Final = ("ece_classwise", "auprc", "brier", "nll")
"""Scores that need the probabilities of all classes."""

UNKNOWN: Final = "unknown"
"""Condition of frames of which the bag does not say it."""


def check_offline_half() -> None:
    """Refuse early what :func:`score` could not do; raises UserError."""
    with offline_half("scoring a bag"):
        import distill.evaluation.evaluation  # noqa: F401


def score(
    answers: Iterable[SegmentedFrame],
    labels: Labels,
    model: Path,
    provider: str,
    metrics: Path,
    all_classes: bool = True,
    on_frame: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Score the labelled frames and write ``metrics`` (JSON), with the tables of ``evaluate`` beside it.

    :param all_classes: AUPRC, Brier score and NLL, too.
    :return: the document written; see docs/metrics.md.
    :raises UserError: if labels do not fit, none of the answered frames has any, or a file cannot be written.
    """
    with offline_half("scoring a bag"):
        from distill.evaluation.evaluated_model import open_onnx
        from distill.evaluation.evaluated_run import write_run
        from distill.evaluation.evaluation import Evaluation
        from distill.evaluation.mask_scores import MaskScores
        from distill.evaluation.metrics_json import metrics_document

    network = open_onnx(model, provider)
    predict = network.predict if all_classes else None
    seen, probabilities = MaskScores(network.class_names), Evaluation(network.class_names)
    count = 0
    for answer in answers:
        on_frame()
        truth = labels.of(answer)
        if truth is None:
            continue
        count += 1
        condition = labels.condition_of(answer) or UNKNOWN
        name = answer.name or stamp_text(answer.stamp)
        try:
            seen.update_mask(condition, name, truth, answer.mask, answer.confidence / np.float32(255))
            if predict:
                probabilities.update(condition, name, truth, predict(answer.image))
        except ValueError as error:
            raise UserError(f"the labels of frame {answer.number} ({name}): {error}") from error
    if not count:
        raise UserError("none of the frames that were segmented has labels")
    scores = seen.summary()
    if predict:
        for condition, found in probabilities.summary().items():
            scores[condition] |= {key: found[key] for key in ALL_CLASSES}
    document = metrics_document(scores, network.class_names, network.about, labels.where)
    write_run(metrics, document, seen.images())
    return document


def print_scores(document: dict[str, Any]) -> None:
    """Print what :func:`score` returned, a column per condition."""
    from distill.evaluation import score_table

    score_table.print_scores(document["scores"], document["classes"])
    if not all(scores["auprc"] for scores in document["scores"].values()):
        print("no AUPRC, Brier score and NLL: left out, or the file gives mask and confidence only")
