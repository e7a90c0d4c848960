#!/usr/bin/env python3
"""Measure model files next to each other: accuracy, calibration and time, in FP32, FP16 and INT8.

    scripts/int8_measurements.py student.onnx=scenes int8.onnx=scenes --write docs/models.md

Each argument is FILE=ROOT: a file of `kd_seg export`, and the folder of its data set, whose val split it is
judged on. For a file in half precision the same in single precision is measured, too. All files of one run
take turns on one thread, and what is counted is processor time: other programs disturb it less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import onnx
from onnx import TensorProto

from distill.data.from_config import frames_of, relocated
from distill.evaluation.evaluate import evaluate
from distill.evaluation.evaluated_model import open_onnx
from distill.evaluation.metrics_json import FULL
from distill.export.int8_graph import in_single_precision
from distill.export.model_card import save_with_card
from kd_seg_ros.benchmark.bare_run import random_image
from kd_seg_ros.benchmark.machine import machine
from kd_seg_ros.benchmark.marks import write_between_marks
from kd_seg_ros.benchmark.result import table
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.engine import Engine

HEAD = ["file", "precision", "layers in INT8", "MB", "mIoU (%)", "ECE (%)", "pixels alike (%)", "ms"]


@dataclass(frozen=True)
class File:
    """One file to measure."""

    path: Path
    root: Path
    """Folder of its data set."""
    precision: str


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE=ROOT")
    parser.add_argument("--runs", type=int, default=9, help="runs of each file, in turn")
    parser.add_argument("--limit", type=int, help="judge on so many images only")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="put the table between its marks")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files: list[File] = []
        for text in args.files:
            path, root = map(Path, text.split("=", 1))
            files += with_single_precision(path, root, Path(folder))
        times = processor_times([Engine(file.path, "cpu", threads=1) for file in files], args.runs)
        rows = []
        for file, milliseconds in zip(files, times, strict=True):
            rows.append([*judged(file, args.limit), f"{milliseconds:.0f}"])
    text = f"{table(HEAD, rows)}\n\nMeasured on: {machine()}; one thread."
    if args.write:
        write_between_marks(args.write, "int8", text)
    else:
        print(text)


def with_single_precision(path: Path, root: Path, folder: Path) -> list[File]:
    """Return a file, and before it the same in single precision if it is in half precision."""
    model = onnx.load(path)
    card = Engine(path, "cpu").card
    if card.int8:
        return [File(path, root, "INT8")]
    if all(tensor.data_type != TensorProto.FLOAT16 for tensor in model.graph.initializer):
        return [File(path, root, "FP32")]
    wide = folder / path.name
    save_with_card(in_single_precision(model), card, wide)
    return [File(wide, root, "FP32"), File(path, root, "FP16")]


def processor_times(engines: list[Engine], runs: int) -> list[float]:
    """Return the median processor time of each engine, milliseconds per image, taken in turn."""
    work = [partial(engine.segment, random_image(engine.size)) for engine in engines]
    taken: list[list[float]] = [[] for _ in engines]
    for number in range(runs + 1):
        for run, times in zip(work, taken, strict=True):
            start = time.process_time()
            run()
            if number:  # the first run allocates memory
                times.append(1e3 * (time.process_time() - start))
    return [median(times) for times in taken]


def judged(file: File, limit: int | None) -> list[str]:
    """Return the cells of a file's row, but for its time; raises UserError if its data set is not known."""
    model = open_onnx(file.path, "cpu")
    if model.data is None:
        raise UserError(f"{file.path} does not say what it was trained on")
    frames = frames_of(relocated(model.data, file.root), "val")[:limit]
    scores = evaluate(model, frames, file.root, progress=True).summary()[FULL]
    card = Engine(file.path, "cpu").card
    alike = "" if file.precision == "FP32" else f"{100 * card.agreement['argmax']:.2f}"
    layers = f"{card.int8['layers']} of {card.int8['layers'] + len(card.int8['kept'])}" if card.int8 else ""
    return [
        f"`{card.name}`",
        file.precision,
        layers,
        f"{file.path.stat().st_size / 1e6:.1f}",
        f"{100 * scores['miou']:.1f}",
        f"{100 * scores['ece']:.2f}",
        alike,
    ]


if __name__ == "__main__":
    main()
