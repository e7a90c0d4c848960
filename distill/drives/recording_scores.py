"""Scoring recorded maps against a drive's labels, in NumPy: mask and confidence are enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from distill.drives.consistency import Consistency
from distill.drives.drive import Drive
from distill.drives.output_topics import OutputTopics
from distill.drives.recording import AnsweredFrame, answered_frames
from distill.evaluation.mask_scores import MaskScores
from kd_seg_ros.common.child_process import ProcessError


def score(
    recording: Path, outputs: OutputTopics, drive: Drive, stamps: Collection[int], class_names: Sequence[str]
) -> tuple[MaskScores, Consistency]:
    """Score mask and confidence of those frames of ``stamps`` that have labels, in total and per condition.

    :return: the scores, and how many pixels of consecutive labelled frames change their class.
    :raises ProcessError: if a map has another size or encoding than the contract says.
    """
    scores = MaskScores(class_names, keep_images=False)
    consistency = Consistency(len(class_names))
    labelled = {stamp for stamp in stamps if drive.frames[stamp].labelled}
    for answer in answered_frames(recording, outputs, drive, labelled):
        add_to_scores(scores, answer)
        frame = answer.frame
        consistency.update(frame.condition or "", frame.number, answer.mask, answer.labels)
    return scores, consistency


def add_to_scores(scores: MaskScores, answer: AnsweredFrame) -> None:
    """Add a frame to the scores, in total and of its condition; one without labels changes nothing.

    :raises ProcessError: if the mask holds anything but class ids and the ignore id.
    """
    if answer.labels is None:
        return
    name = f"frame {answer.frame.number}"
    try:
        scores.update_mask(answer.frame.condition, name, answer.labels, answer.mask, answer.probability)
    except ValueError as error:
        raise ProcessError(f"{name}: {error}") from error
