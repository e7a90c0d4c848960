#!/usr/bin/env python3
"""Compare the calibrations of `kd_seg calibrate` with those of fiducio, on pixels of images held out.

    pip install fiducio==0.2.0
    kd_seg scenes --out scenes --train 0 --val 160 --seed 7719
    scripts/compare_calibrations.py --model resource/demo_student.onnx --scenes scenes

All are fitted on the same pixels of one half of the images, fiducio's by L-BFGS, and scored on pixels of the
other half. Full matrices, and matrices per predicted class, show what methods would bring that are not among
ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import fiducio
import numpy as np
import torch
from torch import Tensor

from distill.calibration.halves import split
from distill.calibration.methods import fit_all
from distill.calibration.passes import draw_pixels
from distill.datasets.registry import open_data
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.metrics_json import FULL
from distill.export.file_model import FileModel, LogitsEngine
from distill.models.logit_calibration import LogitCalibration

ODIR = {"lambda_reg": 0.01, "mu_reg": 0.01}
"""Regularisation of what is off the diagonal, and of the biases (Kull et al., 2019)."""
THEIRS = {
    "temperature": fiducio.TemperatureScaling,
    "vector": fiducio.VectorScaling,
    "ensemble of temperatures": fiducio.EnsembleTemperatureScaling,
    "matrix": fiducio.MatrixScaling,
    "Dirichlet": fiducio.DirichletCalibration,
    "argmax-preserving matrices": fiducio.ArgmaxPreservingMatrixScaling,
    "order-preserving matrices": fiducio.OrderPreservingMatrixScaling,
}


@dataclass(frozen=True)
class Pixels:
    """Pixels to score on, [N, C] and [N]."""

    logits: Tensor
    labels: Tensor
    names: tuple[str, ...]


def main() -> None:
    """Draw the pixels, fit and print one row per calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="ONNX file with a model card")
    parser.add_argument("--scenes", type=Path, required=True, help="labelled images in ACDC's layout")
    parser.add_argument("--pixels", type=int, default=100_000, help="pixels to fit on")
    parser.add_argument("--scored", type=int, default=400_000, help="pixels to score on")
    args = parser.parse_args()
    torch.set_num_threads(1)

    # 1. Uncalibrated logits of pixels of both halves.
    engine = LogitsEngine(args.model, "cpu")
    names = engine.card.class_names
    half, others = split(open_data("acdc", root=args.scenes, split="val").complete())
    fitted = draw_pixels(FileModel(engine), half, args.pixels, len(names), progress=True)
    held_out = draw_pixels(FileModel(engine), others, args.scored, len(names), progress=True)
    pixels = Pixels(held_out.logits, held_out.labels, names)
    print(f"fitted on {len(fitted.labels)}, scored on {len(held_out.labels)} pixels\n")
    print("| calibration | NLL | Brier | ECE [%] | classwise ECE [%] | by class [%] | mIoU [%] | fit [s] |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")

    # 2. Ours, then theirs.
    show("none", pixels, unchanged, 0)
    start = time.process_time()
    for name, calibration in fit_all(fitted.logits, fitted.labels).items():
        show(f"`{name}`", pixels, partial(calibrated, calibration), None)
    print(f"(ours together: {time.process_time() - start:.1f} s with scoring)")
    for name, method in THEIRS.items():
        for options in ({}, ODIR) if name in ("matrix", "Dirichlet") else ({},):
            start = time.process_time()
            calibrator = method(input_type="logits", optimizer="lbfgs", **options)
            calibrator.fit(fitted.logits.float(), fitted.labels)
            spent = time.process_time() - start
            label = f"fiducio, {name}{', ODIR 0.01' if options else ''}"
            show(label, pixels, calibrator.decision_function, spent)


def unchanged(logits: Tensor) -> Tensor:
    """Return the logits as they are."""
    return logits


def calibrated(calibration: LogitCalibration, logits: Tensor) -> Tensor:
    """Return logits [N, C], calibrated by one of ours."""
    return calibration.apply(logits.T).T


def show(name: str, pixels: Pixels, apply: Callable[[Tensor], Tensor], seconds: float | None) -> None:
    """Print the scores of one calibration.

    :param apply: gives calibrated logits [N, C].
    :param seconds: CPU time of the fit; None: not measured alone.
    """
    evaluation = Evaluation(pixels.names)
    for logits, labels in zip(pixels.logits.split(1 << 16), pixels.labels.split(1 << 16), strict=True):
        image = apply(logits.float()).T.unsqueeze(1)
        evaluation.update(FULL, "pixels", labels.numpy().astype(np.uint8)[None], image)
    found = evaluation.summary()[FULL]
    spent = "" if seconds is None else f"{seconds:.1f}"
    by_class = [value for value in found["ece_per_class"].values() if value is not None]
    print(
        f"| {name} | {found['nll']:.4f} | {found['brier']:.4f} | {100 * found['ece']:.2f} "
        f"| {100 * found['ece_classwise']['mean']:.3f} | {100 * np.mean(by_class):.2f} "
        f"| {100 * found['miou']:.2f} | {spent} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
