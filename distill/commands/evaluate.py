"""``python -m distill evaluate``: all scores of a checkpoint or of an exported model."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from distill.data import select as chosen
from distill.data.dataset import SegmentationDataset
from distill.evaluation import submission, views
from distill.evaluation.evaluated_model import EvaluatedModel, open_checkpoint, open_onnx
from distill.evaluation.evaluation import Evaluation, ScoreOptions
from distill.evaluation.metrics_json import beside, metrics_document, write_json
from distill.evaluation.predictors import Predictor
from distill.evaluation.score_table import print_scores, write_per_class
from distill.evaluation.views import Views
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.providers import PROVIDERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--checkpoint", type=Path, help="a .ckpt of `fit`")
    what.add_argument("--onnx", type=Path, help="a file of `export`, run as the vehicle runs it")
    chosen.add_arguments(parser)
    parser.add_argument(
        "--out", type=Path, help="metrics.json to write, with tables beside it (default: beside the model)"
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
    model = open_onnx(args.onnx, args.provider) if args.onnx else open_checkpoint(args.checkpoint)
    chosen_views.check(model.size)
    if model.predict is None and (chosen_views or args.exact_auprc):
        raise UserError(f"{model.path} gives mask and confidence only, not all scores: export it again")
    dataset = chosen.choose(args, model.data, model.class_names, labelled=args.submission is None)
    if args.submission:
        submission.prepare(args.submission, [frame.image for frame in dataset.frames])
    root = Path(args.root or args.images or (model.data.root if model.data else ""))
    evaluation = Evaluation(model.class_names, ScoreOptions(args.bins or 0, args.exact_auprc))
    predict = chosen_views.apply(model.predict) if model.predict else None
    evaluate(model, predict, dataset, evaluation, root, args.submission)
    if args.submission:
        print(f"{len(dataset)} predictions written to {args.submission}")
    if dataset.frames[0].labels is None:
        return 0

    data = {"dataset": args.dataset or model.trained_on, "root": str(root), "split": args.split or "val"}
    if args.dataset == "folder":
        data |= {"labels": str(args.labels), "classes": str(args.classes)}
    scores = evaluation.summary()
    document = metrics_document(scores, model.class_names, model.about, data, chosen_views.document())
    out = args.out or model.path.with_suffix(".metrics.json")
    write_json(out, document)
    write_per_class(beside(out, "per_class.csv"), document)
    evaluation.images().save(beside(out, "images.npz"))
    print_scores(scores, model.class_names)
    if model.predict is None:
        print("the file gives mask and confidence only: no AUPRC, Brier score and NLL")
    method = model.about["calibration"]["method"]
    value = f" {model.about['temperature']:.3f}" if method == "temperature" else ""
    print(f"calibration: {method}{value}; written to {out}")
    return 0


def evaluate(
    model: EvaluatedModel,
    predict: Predictor | None,
    dataset: SegmentationDataset,
    evaluation: Evaluation,
    root: Path,
    folder: Path | None,
) -> None:
    """Run over all images.

    :param predict: gives the probabilities of all classes; None: take the model's mask and confidence.
    :param root: the images are named by their paths below this folder.
    :param folder: where to write the class ids, if anywhere.
    """
    for sample in tqdm(dataset, "evaluate", unit="image"):
        name = image_name(sample.path, root)
        if predict is None:
            mask, probability = model.segment(sample.image)
            if sample.labels is not None:
                evaluation.update_top(sample.condition, name, sample.labels, mask, probability)
        else:
            scores = predict(sample.image)
            mask = scores.argmax(0).cpu().numpy().astype(np.uint8)
            if sample.labels is not None:
                try:
                    evaluation.update(sample.condition, name, sample.labels, scores)
                except ValueError as error:  # NaN, of a training that diverged
                    raise UserError(f"{model.path} on {sample.path}: {error}") from error
        if folder is not None:
            submission.write(folder, sample.path, mask)


def image_name(path: Path, root: Path) -> str:
    """Name an image by its path below the data's root, or by its file where it lies elsewhere."""
    path, root = path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
