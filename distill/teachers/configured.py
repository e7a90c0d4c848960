"""The teacher that a configuration names: a checkpoint of this project, or an external network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import nn

from distill.checkpoints.student import load_student
from distill.config import Config
from distill.config.shipped import shipped_configs
from distill.teachers.external import ExternalTeacher, Normalisation, TeacherOptions
from distill.teachers.huggingface import load_huggingface
from distill.teachers.onnx_teacher import load_onnx
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
        _check_there(Path(teacher.checkpoint))
        network, trained = load_student(Path(teacher.checkpoint))
        if trained.data.class_names != config.data.class_names:
            raise UserError(
                f"teacher {teacher.checkpoint} knows other classes ({', '.join(trained.data.class_names)}) "
                f"than the data ({', '.join(config.data.class_names)})"
            )
        theirs = (trained.data.mean, trained.data.std)
        ours = (config.data.mean, config.data.std)
        if not np.allclose(theirs, ours, atol=1e-4):
            raise UserError(
                f"teacher {teacher.checkpoint} was trained with images of other data.mean and data.std, "
                f"{_rounded(*theirs)}, and sees the student's, {_rounded(*ours)}: give the student the "
                "teacher's"
            )
        return network
    if config.data.class_names != CLASS_NAMES:
        raise UserError("an external teacher has Cityscapes' 19 classes; the data has others")
    student = Normalisation.checked(config.data.mean, config.data.std, "data.mean, data.std")
    options = TeacherOptions(
        classes=teacher.classes,
        class_names=teacher.class_names,
        mean=teacher.mean,
        std=teacher.std,
        size=teacher.size,
    )
    if teacher.huggingface is not None:
        return load_huggingface(Path(teacher.huggingface), student, options)
    assert teacher.onnx is not None
    return load_onnx(Path(teacher.onnx), student, options)


def _check_there(checkpoint: Path) -> None:
    """Refuse a teacher that has not been trained yet, with the command that trains it where that is known."""
    if checkpoint.exists():
        return
    remedy = "give another one by --teacher.checkpoint"
    run = checkpoint.parent.name
    if run in shipped_configs():
        remedy = f"train it by `kd_seg fit --config {run}`, or {remedy}"
    raise UserError(f"teacher {checkpoint} does not exist: {remedy}")


def describe_teacher(config: Config, teacher: nn.Module) -> str:
    """Say in a line or a few what the loaded teacher is, for the log."""
    assert config.teacher is not None
    lines = (
        teacher.describe()
        if isinstance(teacher, ExternalTeacher)
        else f"teacher: {config.teacher.checkpoint}"
    )
    threshold = config.teacher.pseudo_labels
    if threshold is not None:
        sure = f" where their probability is at least {threshold:g}" if threshold > 0 else ""
        lines += f"\nits classes are the labels of images without labels{sure}"
    return lines


def _rounded(mean: Iterable[float], std: Iterable[float]) -> str:
    """Mean and std as text, such as "[0.2, 0.3, 0.2] and [0.1, 0.1, 0.1]"."""
    rounded_mean = [round(value, 4) for value in mean]
    rounded_std = [round(value, 4) for value in std]
    return f"{rounded_mean} and {rounded_std}"
