"""What `evaluate` leaves of a run, made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from distill.evaluation import run_files
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.metrics_json import metrics_document

CLASSES = ("road", "car", "sky")


def write_run(
    folder: Path,
    *,
    skill: float = 2.0,
    seed: int = 0,
    images: int = 8,
    labels_seed: int = 0,
    classes: tuple[str, ...] = CLASSES,
    name: str = "student",
) -> Path:
    """Write best.metrics.json and best.images.npz; the same labels for every ``skill`` and ``seed``."""
    rng, noise = np.random.default_rng(labels_seed), np.random.default_rng(seed)
    evaluation = Evaluation(classes)
    for i in range(images):
        labels = rng.integers(0, 3, (10, 12)).astype(np.uint8)
        logits = torch.from_numpy(noise.normal(0, 1, (len(classes), 10, 12)).astype(np.float32))
        logits.scatter_add_(
            0, torch.from_numpy(labels.astype(np.int64))[None], torch.full((1, 10, 12), float(skill))
        )
        condition = ("fog", "night")[i % 2]
        evaluation.update(condition, f"{condition}/drive{i // 4}/{i}.png", labels, logits)
    model = {
        "file": "best.ckpt",
        "sha256": "0" * 64,
        "name": name,
        "temperature": 1.0,
        "calibration": {"method": "temperature", "parameters": {"temperature": 1.0}},
        "parameters": 1000,
    }
    data = {"dataset": "made up", "root": "data", "split": "val"}
    folder.mkdir(parents=True, exist_ok=True)
    document = metrics_document(evaluation.summary(), classes, model, data, None)
    run_files.write_run(folder / "best.metrics.json", document, evaluation.images())
    return folder
