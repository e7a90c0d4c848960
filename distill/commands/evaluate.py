"""``kd_seg evaluate``: all scores of a checkpoint or of an exported model."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.data import evaluation_images
from distill.evaluation import views
from distill.evaluation.evaluate import check_options, evaluate
from distill.evaluation.evaluated_model import open_checkpoint, open_onnx
from distill.evaluation.evaluated_run import write_run
from distill.evaluation.evaluation import ScoreOptions
from distill.evaluation.metrics_json import metrics_document
from distill.evaluation.score_table import print_scores
from distill.evaluation.views import Views
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.providers import PROVIDERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--checkpoint", type=Path, help="a .ckpt of `fit`")
    what.add_argument("--onnx", type=Path, help="a file of `export`, run as the vehicle runs it")
    evaluation_images.add_options(parser)
    parser.add_argument(
        "--out", type=Path, help="metrics.json to write, with tables next to it (default: next to the model)"
    )
    parser.add_argument(
        "--provider", choices=PROVIDERS, default="cpu", help="of --onnx (default: %(default)s)"
    )
    parser.add_argument(
        "--submission",
        type=Path,
        metavar="DIR",
        help="write the class ids as PNGs, as ACDC's test server takes them; labels are not needed then",
    )
    parser.add_argument("--bins", type=int, metavar="N", help="ECE with 1 to N bins, too")
    parser.add_argument(
        "--exact-auprc",
        action="store_true",
        help="AUPRC with every score as a threshold, too: keeps 4 bytes a pixel and class in memory",
    )
    views.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print a table and write metrics.json, per_class.csv and images.npz."""
    if args.bins is not None and args.bins < 1:
        raise UserError("--bins must be at least 1")
    chosen_views = Views.parse(args)
    options = ScoreOptions(args.bins or 0, args.exact_auprc)
    model = open_onnx(args.onnx, args.provider) if args.onnx else open_checkpoint(args.checkpoint)
    check_options(model, options, chosen_views)
    frames = evaluation_images.choose_frames(
        args, model.data, model.class_names, labelled=args.submission is None
    )
    root = Path(args.root or args.images or (model.data.root if model.data else ""))
    evaluation = evaluate(model, frames, root, options, chosen_views, args.submission, progress=True)
    if args.submission:
        print(f"{len(frames)} predictions written to {args.submission}")
    if frames[0].labels is None:
        return 0

    data = {"dataset": args.dataset or model.trained_on, "root": str(root), "split": args.split or "val"}
    if args.dataset == "folder":
        data |= {"labels": str(args.labels), "classes": str(args.classes)}
    scores = evaluation.summary()
    document = metrics_document(scores, model.class_names, model.about, data, chosen_views.document())
    out = args.out or model.path.with_suffix(".metrics.json")
    write_run(out, document, evaluation.images())
    print_scores(scores, model.class_names)
    if model.predict is None:
        print("the file gives mask and confidence only: no AUPRC, Brier score and NLL")
    method = model.about["calibration"]["method"]
    value = f" {model.about['temperature']:.3f}" if method == "temperature" else ""
    print(f"calibration: {method}{value}; written to {out}")
    return 0
