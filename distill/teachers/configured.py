"""The teacher that a configuration names: a checkpoint of ours, or a network from outside."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import nn

from distill.checkpoints.student import load_student
from distill.config import Config
from distill.teachers.external import ExternalTeacher
from distill.teachers.load_external import load_external_teacher
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError


def load_teacher(config: Config) -> nn.Module | None:
    """Return the teacher that a configuration names, or None where it names none.

    :raises UserError: if it cannot be loaded, or knows other classes or image statistics than the data.
    """
    teacher = config.teacher
    if teacher is None:
        return None
    if teacher.checkpoint is not None:
        network, trained = load_student(Path(teacher.checkpoint))
        if trained.data.class_names != config.data.class_names:
            raise UserError(
                f"teacher {teacher.checkpoint} knows other classes ({', '.join(trained.data.class_names)}) "
                f"than the data ({', '.join(config.data.class_names)})"
            )
        theirs, ours = ((data.mean, data.std) for data in (trained.data, config.data))
        if not np.allclose(theirs, ours, atol=1e-4):
            raise UserError(
                f"teacher {teacher.checkpoint} was trained with images of other data.mean and data.std, "
                f"{_words(theirs)}, and sees the student's, {_words(ours)}: give the student the teacher's"
            )
        return network
    if config.data.class_names != CLASS_NAMES:
        raise UserError("a teacher from outside speaks of Cityscapes' 19 classes; the data has others")
    return load_external_teacher(
        huggingface=teacher.huggingface,
        onnx=teacher.onnx,
        student_mean=config.data.mean,
        student_std=config.data.std,
        classes=teacher.classes,
        class_names=teacher.class_names,
        mean=teacher.mean,
        std=teacher.std,
        size=teacher.size,
    )


def describe_teacher(config: Config, teacher: nn.Module) -> str:
    """Say in a line or a few what the loaded teacher is, for the log."""
    if isinstance(teacher, ExternalTeacher):
        return teacher.describe()
    assert config.teacher is not None
    return f"teacher: {config.teacher.checkpoint}"


def _words(statistics: Iterable[Iterable[float]]) -> str:
    return " and ".join(str([round(value, 4) for value in values]) for values in statistics)
