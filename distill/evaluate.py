"""``python -m distill evaluate``: mIoU and calibration of a checkpoint or of an exported model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from distill.calibration import stored_temperature
from distill.checkpoint import deployed, file_digest, load_student
from distill.data.acdc import CONDITIONS, AcdcDataset
from distill.evaluation import metrics_document, score, write_json
from distill.segmenters import engine_segmenter, torch_segmenter
from kd_seg_ros.classes import CLASS_NAMES
from kd_seg_ros.engine import PROVIDERS, Engine
from kd_seg_ros.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--checkpoint", type=Path, help="a .ckpt of `fit`")
    what.add_argument("--onnx", type=Path, help="a file of `export`, run as the vehicle runs it")
    parser.add_argument("--root", type=Path, help="data in ACDC's layout (default: the training's)")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--conditions", nargs="+", default=CONDITIONS, choices=CONDITIONS)
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
        dataset, root = card.dataset, card.config.get("data", {}).get("root", "")
    else:
        network, config = load_student(args.checkpoint)
        temperature = stored_temperature(args.checkpoint) or 1.0
        segment, name = torch_segmenter(deployed(network, config, temperature)), config.name
        dataset, root = config.data.dataset, config.data.root
    if args.root is None and not root:
        raise UserError("the model does not say what it was trained on: give --root")

    path = args.onnx or args.checkpoint
    root = args.root or Path(root)
    samples = AcdcDataset(root, args.split, args.conditions)
    scores = score(segment, tqdm(samples, "evaluate", unit="image"))
    model = {"file": path.name, "sha256": file_digest(path), "name": name, "temperature": temperature}
    data = {"dataset": dataset, "root": str(root), "split": args.split}
    document = metrics_document(scores, model, data)
    out = args.out or path.with_suffix(".metrics.json")
    write_json(out, document)
    print_scores(document["scores"])
    print(f"temperature {temperature:.3f}; written to {out}")
    return 0


def print_scores(scores: dict[str, dict[str, Any]]) -> None:
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
    for name in CLASS_NAMES:
        table.add_row(f"IoU {name}", *(percent(s["iou"][name]) for s in scores.values()))
    Console().print(table)


def percent(value: float | None) -> str:
    """Format a share; a dash where it is undefined."""
    return "–" if value is None else f"{100 * value:.1f}"
