"""A whole configuration: all sections, and the conditions between them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, model_validator

from distill.config.data import DataConfig
from distill.config.networks import NetworkConfig, TeacherConfig
from distill.config.objective import ObjectiveConfig
from distill.config.section import Section
from distill.config.training import TrainingConfig
from distill.models.catalogue import pools_image

SMALLEST_JUDGED: Final = 128
"""Least height and width, in pixels, of the images that a discriminator can judge: it compares 16×16 places
of 8×8 pixels."""


class Config(Section):
    """The configuration of one experiment."""

    name: str
    """Name of the experiment, and of its run's folder."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of all random numbers: the weights at the start, the order of the images, their augmentation."""
    out: str = "runs"
    """Folder in which the run's folder is made: the run is written to ``out``/``name``."""
    data: DataConfig
    """The images and labels to train and validate on."""
    student: NetworkConfig
    """The network that learns."""
    teacher: TeacherConfig | None = None
    """The trained network that the student learns from; null: it learns from the labels alone."""
    objective: ObjectiveConfig = ObjectiveConfig()
    """The losses that are minimised, and their weights."""
    training: TrainingConfig = TrainingConfig()
    """Length, batches and optimiser of the training."""

    @model_validator(mode="after")
    def _check_teacher(self) -> Config:
        if self.objective.needs_teacher and self.teacher is None:
            raise ValueError(
                "the objective compares with a teacher: give teacher.checkpoint, .huggingface or .onnx"
            )
        if self.objective.features and self.teacher is not None and self.teacher.checkpoint is None:
            raise ValueError("a teacher from outside has probabilities only: no feature losses with it")
        if self.teacher is not None and self.teacher.whole_images and not self.objective.only_logits:
            raise ValueError(
                "teacher.whole_images keeps the teacher's logits alone: compare no other maps with it"
            )
        labels_from_teacher = self.teacher is not None and self.teacher.pseudo_labels is not None
        taught = self.objective.needs_teacher or labels_from_teacher
        if self.teacher is not None and not taught:
            raise ValueError("a teacher is given but no term of the objective uses it")
        without = [source.root for source in self.data.extra if not source.labelled]
        if without and not taught:
            raise ValueError(
                f"{without[0]} has no labels, and no term of the objective learns from a teacher: give a "
                "teacher with objective.logits or teacher.pseudo_labels, or leave it out of data.extra"
            )
        cached = self.teacher is not None and self.teacher.cache is not None
        if cached and any(source.topic is not None for source in self.data.extra):
            raise ValueError("teacher.cache keeps outputs by image file: it cannot be had with a bag")
        if self.training.batch_size == 1 and pools_image(self.student.model):
            raise ValueError(
                f"{self.student.model} needs a training.batch_size of at least 2: it pools the image to one "
                "pixel, over which BatchNorm has no statistics"
            )
        if self.objective.adversarial is not None and min(self.train_size) < SMALLEST_JUDGED:
            raise ValueError(
                f"objective.adversarial needs images of {SMALLEST_JUDGED} pixels or more a side, not "
                f"{'×'.join(map(str, self.train_size))}: raise data.crop or data.working_scale"
            )
        return self

    @property
    def train_size(self) -> tuple[int, int]:
        """Height and width of the images that the networks see in training, in pixels."""
        height, width = self.data.crop
        return round(height * self.data.working_scale), round(width * self.data.working_scale)

    @property
    def run_folder(self) -> Path:
        """Folder that this experiment's run is written to."""
        return Path(self.out) / self.name

    def digest(self) -> str:
        """Return the SHA-256 of the configuration as JSON with sorted keys."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
