"""A teacher and a student distilled from it, trained by ``kd_seg fit`` for one epoch each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from architectures import SMALL_BACKBONE

from distill.__main__ import main


def write_teacher_and_student(folder: Path, data: Path) -> None:
    """Write ``teacher.yaml`` and ``student.yaml``, the configurations of the two runs, into a folder.

    :param data: root of a data set in ACDC's layout, see :func:`acdc_tree.write_acdc`.
    """
    common: dict[str, Any] = {
        "out": str(folder),
        "data": {
            "root": str(data),
            "crop": [80, 80],
            "workers": 0,
            "description": "noise",
            "limitations": "all",
        },
        "student": {"backbone": SMALL_BACKBONE, "channels": 8},
        "training": {"epochs": 1, "batch_size": 4, "accumulate": 1, "learning_rate": 0.02},
    }
    distilled = common | {
        "name": "student",
        "teacher": {"checkpoint": str(folder / "teacher" / "best.ckpt")},
        "objective": {"logits": "kl_border", "features": [{"loss": "cwd"}, {"loss": "lad"}, {"loss": "l2"}]},
    }
    for config in (common | {"name": "teacher"}, distilled):
        path = folder / f"{config['name']}.yaml"
        path.write_text(yaml.safe_dump(config))


def train_teacher_and_student(folder: Path, data: Path) -> None:
    """Write the runs ``teacher`` and ``student`` into a folder, next to their configurations."""
    write_teacher_and_student(folder, data)
    train(folder, "teacher")
    train(folder, "student")


def train(folder: Path, name: str) -> None:
    """Train what the configuration of that name in a folder says."""
    assert main(["fit", "--config", str(folder / f"{name}.yaml")]) == 0
