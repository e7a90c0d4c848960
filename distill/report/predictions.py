"""The predictions of the runs' networks for the images that the report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from distill.data.from_config import open_source, relocated
from distill.datasets.frame import Frame, Sample, read_sample
from distill.datasets.registry import DATA_SETS, open_data
from distill.evaluation.evaluate import image_name
from distill.evaluation.evaluated_model import EvaluatedModel, open_checkpoint, open_onnx
from distill.evaluation.predictors import Segmenter
from distill.evaluation.views import Views
from distill.report.runs import Run
from kd_seg_ros.common.errors import UserError


@dataclass(frozen=True)
class Prediction:
    """Class ids and confidence that a network predicts for an image."""

    mask: NDArray[np.uint8]
    """[H, W], predicted trainIds."""
    confidence: NDArray[np.uint8]
    """[H, W], probability of the predicted class, 255 is 1."""


@dataclass(frozen=True)
class Predictions:
    """Images with labels, and what each run predicts for them."""

    samples: Mapping[str, Sample]
    """The images by their name in images.npz."""
    found: Mapping[tuple[str, str], Prediction]
    """The predictions by the run's label and the image's name."""


def predict(
    wanted: Sequence[tuple[Run, Sequence[str]]], root: Path | None, progress: bool = False
) -> Predictions:
    """Run the networks over the named images, one network after the other.

    :param root: where the data lie; None: where they were when the first run was evaluated.
    :param progress: show a progress bar on standard error.
    :raises UserError: if a model or the data are gone, or are no longer those that were evaluated.
    """
    samples: dict[str, Sample] = {}
    found = {}
    total = sum(len(names) for _, names in wanted)
    with tqdm(total=total, desc="report", unit="image", disable=not progress) as bar:
        for run, names in wanted:
            bar.set_postfix_str(run.label)
            model = open_model(run)
            frames = find_frames(run, model, root)
            segment = _segmenter(run, model)
            for name in names:
                if name not in samples:
                    samples[name] = _read(run, name, frames)
                mask, probability = segment(samples[name].image)
                found[run.label, name] = Prediction(mask, np.round(255 * probability).astype(np.uint8))
                bar.update()
    return Predictions(samples, found)


def open_model(run: Run) -> EvaluatedModel:
    """Open the model of a run as it was evaluated.

    :raises UserError: if it is missing or has changed since.
    """
    about = run.document["model"]
    path = run.folder / str(about["file"])
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    model = open_onnx(path, "cpu") if path.suffix == ".onnx" else open_checkpoint(path)
    for key, what in (("sha256", ""), ("calibration", "the calibration of ")):
        if model.about[key] != about.get(key):
            raise UserError(f"{what}{path} has changed since the evaluation: evaluate it again")
    return model


def find_frames(run: Run, model: EvaluatedModel, root: Path | None) -> dict[str, Frame]:
    """List the data that a run was evaluated on, by the names of images.npz; raises UserError."""
    evaluated = run.document["data"]
    place = root or Path(str(evaluated["root"]))
    split = evaluated["split"]
    dataset = evaluated["dataset"]
    if dataset in DATA_SETS and DATA_SETS[dataset].splits:
        conditions = run.conditions if "conditions" in DATA_SETS[dataset].options else None
        listing = open_data(dataset, root=place, split=split, conditions=conditions)
    elif dataset == "folder" and "labels" in evaluated and "classes" in evaluated:
        labels, classes = Path(str(evaluated["labels"])), Path(str(evaluated["classes"]))
        listing = open_data(dataset, images=place, labels=labels, classes=classes)
    elif dataset == "folder" or model.data is None:
        raise UserError(f"{run.evaluated.path} does not say where the labels of its images are")
    else:
        listing = open_source(relocated(model.data, place), split)
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
