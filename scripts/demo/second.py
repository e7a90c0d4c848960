"""A second model over the same frames, to be shown next to the one that the node ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.drives.recording import AnsweredFrame
from distill.drives.recording_scores import add_to_scores
from distill.evaluation.mask_scores import MaskScores
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.engine import Engine


class SecondModel:
    """Segments the frames that the node has answered, outside the node, and scores them alike."""

    def __init__(self, file: Path, provider: str, class_names: Sequence[str]) -> None:
        """Open the model.

        :param class_names: of the replayed model; another list cannot be compared with.
        :raises UserError: if it cannot be opened or has other classes.
        """
        self.file = file
        self._engine = Engine(file, provider)
        self.card = self._engine.card
        if self.card.class_names != tuple(class_names):
            raise UserError(f"--next-to {file} has other classes than --model: nothing can be compared")
        self._scores = MaskScores(class_names, keep_images=False)

    def add(self, answer: AnsweredFrame) -> AnsweredFrame:
        """Segment a frame, which has its image, and score it; return it with this model's maps."""
        assert answer.image is not None
        found = self._engine.segment(answer.image)
        probability = found.confidence / np.float32(255)
        own = replace(answer, mask=found.mask.copy(), probability=probability)
        add_to_scores(self._scores, own)
        return own

    def document(self) -> dict[str, Any]:
        """Return which model it is and its scores, for ``next_to`` of metrics.json."""
        model = {"file": self.file.name, "sha256": sha256(self.file), "name": self.card.name}
        return {"model": model, "dataset": self.card.dataset, "scores": self._scores.summary()}
