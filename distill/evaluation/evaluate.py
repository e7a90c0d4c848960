"""Runs a model over images and scores what it predicts: the work of ``evaluate``, without its printing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from distill.datasets.frame import Frame, read_sample
from distill.evaluation import submission
from distill.evaluation.domain_scores import DomainScores
from distill.evaluation.evaluated_model import EvaluatedModel
from distill.evaluation.evaluation import Evaluation, ScoreOptions
from distill.evaluation.risk_scores import RiskScores
from distill.evaluation.views import Views
from kd_seg_ros.common.errors import UserError


def evaluate(
    model: EvaluatedModel,
    frames: Sequence[Frame],
    root: Path,
    options: ScoreOptions | None = None,
    views: Views | None = None,
    submission_folder: Path | None = None,
    progress: bool = False,
    risks: RiskScores | None = None,
    domain: DomainScores | None = None,
) -> Evaluation:
    """Predict every image, score the labelled ones, and write the class ids if a folder is given.

    :param root: the scores of single images are named by the images' paths below this folder.
    :param options: which scores to compute; None: the usual ones.
    :param views: test-time augmentation; None: every image is predicted once, as it is.
    :param submission_folder: where to write one PNG of class ids per image; it must be empty or new.
    :param progress: show a progress bar on standard error.
    :param risks: also counts the labelled images for its rules.
    :param domain: also collects the distances of the labelled images, for a model that tells them.
    :return: the scores; empty if no image has labels.
    :raises UserError: if the model cannot give what is asked for, an image cannot be read, a score is not
        finite or a file cannot be written.
    """
    options, views = options or ScoreOptions(), views or Views()
    check_options(model, options, views)
    if submission_folder is not None:
        submission.prepare(submission_folder, [frame.image for frame in frames])
    predict = views.apply(model.predict) if model.predict else None
    # An average over several views has no distance of its own.
    with_distance = None if views else model.predict_with_distance
    evaluation = Evaluation(model.class_names, options)
    for frame in tqdm(frames, "evaluate", unit="image", disable=not progress):
        sample = read_sample(frame)
        name = image_name(frame.image, root)
        if predict is None:
            # The model gives mask and confidence only: no scores over all classes.
            mask, confidence = model.segment(sample.image)
            if sample.labels is not None:
                evaluation.update_mask(sample.condition, name, sample.labels, mask, confidence)
        else:
            if with_distance is None:
                scores, distance = predict(sample.image), None
            else:
                scores, distance = with_distance(sample.image)
            mask = scores.argmax(0).cpu().numpy().astype(np.uint8)
            confidence = scores.amax(0).exp().cpu().numpy()
            if sample.labels is not None:
                try:
                    evaluation.update(sample.condition, name, sample.labels, scores)
                except ValueError as error:  # NaN, from a training that diverged
                    raise UserError(f"{model.path} on {frame.image}: {error}") from error
            if domain is not None and distance is not None and sample.labels is not None:
                domain.update(sample.condition, distance)
        if risks is not None and sample.labels is not None:
            published = np.round(255 * confidence).astype(np.uint8)
            risks.update(sample.condition, str(frame.image.parent), sample.labels, mask, published)
        if submission_folder is not None:
            submission.write(submission_folder, frame.image, mask)
    return evaluation


def check_options(model: EvaluatedModel, options: ScoreOptions, views: Views) -> None:
    """Refuse scores and views that a model cannot give; raises UserError."""
    views.check(model.size)
    if model.predict is None and (views or options.exact_auprc):
        raise UserError(f"{model.path} gives mask and confidence only, not all scores: export it again")


def image_name(path: Path, root: Path) -> str:
    """Name an image by its path below the data's root, or by its file name where it lies elsewhere."""
    path, root = path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
