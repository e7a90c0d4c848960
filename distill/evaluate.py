"""``python -m distill evaluate``: mIoU and calibration of a checkpoint or of an exported model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from distill.calibration import stored_temperature
from distill.checkpoint import deployed, file_digest, load_student
from distill.config import DataConfig, parse_config
from distill.data import chosen
from distill.evaluation import metrics_document, score, write_json
from distill.segmenters import engine_segmenter, torch_segmenter
from kd_seg_ros.card import ModelCard
from kd_seg_ros.engine import PROVIDERS, Engine
from kd_seg_ros.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--checkpoint", type=Path, help="a .ckpt of `fit`")
    what.add_argument("--onnx", type=Path, help="a file of `export`, run as the vehicle runs it")
    chosen.add_arguments(parser)
    parser.add_argument("--out", type=Path, help="metrics.json to write (default: beside the model)")
    parser.add_argument(
        "--provider", choices=PROVIDERS, default="cpu", help="of --onnx (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, print a table and write metrics.json."""
    if args.onnx:
        engine = Engine(args.onnx, args.provider)
        card = engine.card
        segment, name, temperature = engine_segmenter(engine), card.name, card.temperature
        own, class_names, trained_on = _data_of(card), card.class_names, card.dataset
    else:
        network, config = load_student(args.checkpoint)
        temperature = stored_temperature(args.checkpoint) or 1.0
        segment, name = torch_segmenter(deployed(network, config, temperature)), config.name
        own, class_names, trained_on = config.data, config.data.class_names, config.data.summary

    path = args.onnx or args.checkpoint
    samples = chosen.choose(args, own, class_names)
    scores = score(segment, tqdm(samples, "evaluate", unit="image"), class_names)
    model = {"file": path.name, "sha256": file_digest(path), "name": name, "temperature": temperature}
    root = args.root or args.images or (own.root if own else "")
    data = {"dataset": args.dataset or trained_on, "root": str(root), "split": args.split or "val"}
    document = metrics_document(scores, model, data)
    out = args.out or path.with_suffix(".metrics.json")
    write_json(out, document)
    print_scores(document["scores"], class_names)
    print(f"temperature {temperature:.3f}; written to {out}")
    return 0


def _data_of(card: ModelCard) -> DataConfig | None:
    """Return what a model was trained on; None if its card does not say it in this version's terms."""
    try:
        return parse_config(card.config, "the model card").data
    except UserError:
        return None


def print_scores(scores: dict[str, dict[str, Any]], class_names: Sequence[str]) -> None:
    """Print one column per condition: the summary, then the IoU of every class."""
    table = Table("", *scores)
    for key, label in (
        ("miou", "mIoU [%]"),
        ("accuracy", "pixel accuracy [%]"),
        ("ece", "ECE [%]"),
        ("ece_batched16", "ECE, batches of 16 [%]"),
    ):
        table.add_row(label, *(percent(s[key]) for s in scores.values()))
    table.add_row("images", *(str(s["images"]) for s in scores.values()))
    table.add_section()
    for name in class_names:
        table.add_row(f"IoU {name}", *(percent(s["iou"][name]) for s in scores.values()))
    Console().print(table)


def percent(value: float | None) -> str:
    """Format a share; a dash where it is undefined."""
    return "–" if value is None else f"{100 * value:.1f}"
