"""The predictions of the runs' networks for the images that the report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distill.config import DataConfig
from distill.data.from_config import open_source, relocated
from distill.datasets.frame import Frame, Sample, read_sample
from distill.datasets.registry import DATA_SETS, open_data
from distill.evaluation.evaluate import image_name
from distill.evaluation.evaluated_model import EvaluatedModel, open_checkpoint, open_onnx
from distill.evaluation.predictors import Segmenter
from distill.evaluation.views import Views
from distill.report.runs import Run
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256


@dataclass(frozen=True)
class Prediction:
    """Class ids and confidence that a network predicts for an image."""

    mask: NDArray[np.uint8]
    """[H, W], predicted trainIds."""
    confidence: NDArray[np.uint8]
    """[H, W], probability of the predicted class, 255 is 1."""


@dataclass
class Predictions:
    """Images with labels, and what each run predicts for them, as far as models and images are there."""

    samples: dict[str, Sample] = field(default_factory=dict)
    """The images by their name in images.npz."""
    found: dict[tuple[str, str], Prediction] = field(default_factory=dict)
    """The predictions by the run's label and the image's name."""
    without_model: dict[str, list[str]] = field(default_factory=dict)
    """Labels of the runs that predict nothing, by the reason."""
    without_image: dict[str, list[str]] = field(default_factory=dict)
    """Names of the images that are not shown, by the reason."""

    def notes(self) -> list[str]:
        """Say in a line each what is missing, and why; empty if nothing is."""
        lines = []
        for reason, labels in self.without_model.items():
            lines.append(f"Pictures show no prediction of {' and '.join(labels)}: {reason}.")
        for reason, names in self.without_image.items():
            if self.samples:
                lines.append(f"{len(names)} of the images to show are left out: {reason}.")
            else:
                lines.append(
                    "Panels, worst images, confident mistakes and border weights are left out: they need the "
                    f"images. {reason}."
                )
        return lines


def predict(
    wanted: Sequence[tuple[Run, Sequence[str]]], root: Path | None, progress: bool = False
) -> Predictions:
    """Run the networks over the named images, one network after the other.

    What is missing is left out and noted: a model that is gone or has changed since its evaluation takes away
    its predictions, an image that is gone or has other labels takes away that image.

    :param root: where the data lie; None: where they were when the first run was evaluated.
    :param progress: show a progress bar on standard error.
    """
    predictions = Predictions()
    total = sum(len(names) for _, names in wanted)
    with tqdm(total=total, desc="report", unit="image", disable=not progress) as bar:
        for run, names in wanted:
            bar.set_postfix_str(run.label)
            _predict_run(predictions, run, names, root)
            bar.update(len(names))
    return predictions


def _predict_run(predictions: Predictions, run: Run, names: Sequence[str], root: Path | None) -> None:
    """Add the images that one run is to show, and its predictions for them."""
    # 1. The model. Without it the images are still worth a look.
    data = None if run.config is None else run.config.data
    segment = None
    try:
        model = open_model(run)
        data, segment = model.data, _segmenter(run, model)
    except UserError as error:
        predictions.without_model.setdefault(str(error), []).append(run.label)

    # 2. The images. Where none is found the reason is the same for all of them.
    frames: dict[str, Frame] = {}
    gone = ""
    try:
        frames = find_frames(run, data, root)
    except UserError as error:
        gone = _give_root(str(error))
    for name in names:
        try:
            if gone:
                raise UserError(gone)
            if name not in predictions.samples:
                predictions.samples[name] = _read(run, name, frames)
        except UserError as error:
            without = predictions.without_image.setdefault(str(error), [])
            if name not in without:
                without.append(name)
            continue
        if segment is not None:
            mask, probability = segment(predictions.samples[name].image)
            confidence = np.round(255 * probability).astype(np.uint8)
            predictions.found[run.label, name] = Prediction(mask, confidence)


def _give_root(reason: str) -> str:
    """Add to a reason why the data cannot be listed what a user can do about it."""
    return reason if "--root" in reason else f"{reason}: give --root"


def open_model(run: Run) -> EvaluatedModel:
    """Open the model of a run as it was evaluated.

    :raises UserError: if it is missing or has changed since.
    """
    about = run.document["model"]
    path = run.model_file
    if path is None:
        places = [str(place) for place in run.model_places]
        if len(places) == 1:
            raise UserError(f"{places[0]} does not exist")
        raise UserError(f"neither {' nor '.join(places)} exists")
    if sha256(path) != about["sha256"]:
        raise UserError(f"{path} has changed since the evaluation: evaluate it again")
    model = open_onnx(path, "cpu") if path.suffix == ".onnx" else open_checkpoint(path)
    if model.about["calibration"] != about.get("calibration"):
        raise UserError(f"the calibration of {path} has changed since the evaluation: evaluate it again")
    return model


def find_frames(run: Run, data: DataConfig | None, root: Path | None) -> dict[str, Frame]:
    """List the data that a run was evaluated on, by the names of images.npz.

    :param data: the data of the model's training; None: unknown.
    :param root: where the data lie; None: where they were when the run was evaluated.
    :raises UserError: if they are not there.
    """
    evaluated = run.document["data"]
    place = root or Path(str(evaluated["root"])).expanduser()
    split = evaluated["split"]
    dataset = evaluated["dataset"]
    if dataset in DATA_SETS and DATA_SETS[dataset].splits:
        conditions = run.conditions if "conditions" in DATA_SETS[dataset].options else None
        listing = open_data(dataset, root=place, split=split, conditions=conditions)
    elif dataset == "folder" and "labels" in evaluated and "classes" in evaluated:
        labels, classes = Path(str(evaluated["labels"])), Path(str(evaluated["classes"]))
        listing = open_data(dataset, images=place, labels=labels, classes=classes)
    elif dataset == "folder" or data is None:
        raise UserError(f"{run.evaluated.path} does not say where the labels of its images are")
    else:
        listing = open_source(relocated(data, place), split)
    return {image_name(frame.image, place): frame for frame in listing.complete(skip_unlabelled=True)}


def _read(run: Run, name: str, frames: Mapping[str, Frame]) -> Sample:
    """Read an image with its labels; raises UserError if it is not there or its labels have changed."""
    if name not in frames:
        place = next(iter(frames), "none")
        raise UserError(f"image {name} is not among the data (the first there: {place}): give --root")
    sample = read_sample(frames[name])
    at = run.images.names.tolist().index(name)
    expected = run.images.confusion[at].sum(axis=1)
    assert sample.labels is not None
    if (np.bincount(sample.labels.ravel(), minlength=256)[: len(expected)] != expected).any():
        raise UserError(f"the labels of {name} are not those that were evaluated: give --root")
    return sample


def _segmenter(run: Run, model: EvaluatedModel) -> Segmenter:
    """Segment as the evaluation did, with its test-time augmentation."""
    views = Views.of(run.document.get("options") or {})
    if not views:
        return model.segment
    if model.predict is None:
        raise UserError(f"{model.path} gives mask and confidence only, which has no test-time augmentation")
    predict_all = views.apply(model.predict)

    def segment(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        top, mask = predict_all(image).max(dim=0)
        return mask.cpu().numpy().astype(np.uint8), top.exp().cpu().numpy()

    return segment
