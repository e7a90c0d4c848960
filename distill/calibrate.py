"""``python -m distill calibrate``: find a checkpoint's temperature on the validation split."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from distill.calibration import calibration_path, find_temperature
from distill.checkpoint import deployed, file_digest, load_student
from distill.data import chosen
from distill.data.dataset import SegmentationDataset
from distill.evaluate import percent
from distill.evaluation import ConditionScores, score, write_json
from distill.models.deployed import DeployedModel
from distill.segmenters import torch_segmenter
from kd_seg_ros.classes import IGNORE_ID
from kd_seg_ros.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="a .ckpt of `fit`")
    chosen.add_arguments(parser)
    parser.add_argument(
        "--pixels",
        type=int,
        default=2_000_000,
        help="labelled pixels to fit on, drawn evenly (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Fit T, measure ECE before and after, and write both beside the checkpoint."""
    if args.pixels < 1:
        raise UserError("--pixels must be at least 1")
    network, config = load_student(args.checkpoint)
    class_names = config.data.class_names
    dataset = chosen.choose(args, config.data, class_names)

    logits, labels = draw_pixels(deployed(network, config), dataset, args.pixels)
    try:
        temperature = find_temperature(logits, labels)
    except ValueError as error:
        raise UserError(f"{args.checkpoint} cannot be calibrated: {error}") from error
    before = _score(deployed(network, config), dataset, class_names, "ECE before")
    after = _score(deployed(network, config, temperature), dataset, class_names, "ECE after")

    scores_before, scores_after = before.summary(), after.summary()
    document = {
        "schema_version": 1,
        "checkpoint_sha256": file_digest(args.checkpoint),
        "temperature": temperature,
        "data": {"dataset": args.dataset or config.data.summary, "split": args.split or "val"},
        "scores_before": scores_before,
        "scores_after": scores_after,
    }
    path = calibration_path(args.checkpoint)
    write_json(path, document)
    print(f"temperature {temperature:.4f}")
    for condition in scores_before:
        ece = percent(scores_before[condition]["ece"]), percent(scores_after[condition]["ece"])
        print(f"{condition:>6}: ECE {ece[0]} % → {ece[1]} %")
    print(f"written to {path}; `python -m distill export` reads it from there")
    return 0


def draw_pixels(
    model: DeployedModel, dataset: SegmentationDataset, pixels: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw labelled pixels evenly from all images; return their logits [N, C] and labels [N]."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device)
    share = -(-pixels // len(dataset))
    rng = np.random.default_rng(0)
    logits, labels = [], []
    for sample in tqdm(dataset, "draw pixels", unit="image"):
        flat = sample.labels.ravel()
        labelled = np.flatnonzero(flat != IGNORE_ID)
        chosen = rng.choice(labelled, min(share, len(labelled)), replace=False)
        with torch.inference_mode():
            image = model.logits(torch.from_numpy(sample.image).to(device))[0].flatten(1)
            logits.append(image[:, torch.from_numpy(chosen).to(device)].T.cpu())
        labels.append(torch.from_numpy(flat[chosen].astype(np.int64)))
    return torch.cat(logits), torch.cat(labels)


def _score(
    model: DeployedModel, dataset: SegmentationDataset, class_names: Sequence[str], title: str
) -> ConditionScores:
    return score(torch_segmenter(model), tqdm(dataset, title, unit="image"), class_names)
