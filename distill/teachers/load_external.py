"""From a teacher's options to the teacher, for those that come from outside this project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from distill.teachers.external import ExternalTeacher, Normalisation
from distill.teachers.huggingface import load_huggingface
from distill.teachers.onnx_teacher import load_onnx


def load_external_teacher(
    *,
    huggingface: str | Path | None = None,
    onnx: str | Path | None = None,
    student_mean: Sequence[float],
    student_std: Sequence[float],
    classes: Mapping[str, str | None] | None = None,
    class_names: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    size: tuple[int, int] | None = None,
) -> ExternalTeacher:
    """Make a teacher from a folder of Hugging Face ``transformers`` or from an ONNX file.

    :param huggingface: the folder; exactly one of it and ``onnx`` is given.
    :param onnx: the file.
    :param student_mean: of the images the teacher will be given, RGB in 0…1; likewise ``student_std``.
    :param classes: ``{teacher's name: our name}``; None in place of our name drops the class.
    :param class_names: the teacher's classes in the order of its channels.
    :param mean: what the teacher was trained with, RGB in 0…1; likewise ``std``.
    :param size: height and width that the teacher shall see.
    :raises UserError: see :func:`load_huggingface` and :func:`load_onnx`.
    """
    if (huggingface is None) == (onnx is None):
        raise ValueError("exactly one of huggingface and onnx must be given")
    load, path = (load_onnx, onnx) if huggingface is None else (load_huggingface, huggingface)
    assert path is not None
    return load(
        Path(path),
        Normalisation.checked(student_mean, student_std, "data.mean, data.std"),
        classes=classes,
        class_names=class_names,
        mean=mean,
        std=std,
        size=size,
    )
