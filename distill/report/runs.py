"""The runs of a report, checked, with their configurations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distill.checkpoints.student import build_network
from distill.checkpoints.trained_images import IMAGES_KEY
from distill.checkpoints.training_cost import COST_KEY, TrainingCost, read_cost
from distill.config import Config, NetworkConfig, load_config
from distill.evaluation.evaluated_run import EvaluatedRun, check_comparable, read_run
from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import FULL
from distill.metrics import iou_per_class
from distill.models.catalogue import FAMILIES, MODELS
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256


@dataclass(frozen=True)
class Run:
    """An evaluated run of a report, with its configuration."""

    label: str
    """Names the run; no other run of the report has the same label."""
    evaluated: EvaluatedRun
    """The run's scores."""
    config: Config | None = None
    """None where no configuration that this version understands lies next to the metrics."""

    @property
    def name(self) -> str:
        """The name in the run's configuration."""
        return str(self.document["model"]["name"])

    @property
    def folder(self) -> Path:
        """The folder of the run: where its model lies, which may be elsewhere than its metrics."""
        return _folder(self.evaluated)

    @property
    def model_places(self) -> list[Path]:
        """Where the model may be: next to the metrics, and where it was when it was evaluated."""
        return _model_places(self.evaluated)

    @property
    def model_file(self) -> Path | None:
        """The model's file; None if it is in none of its places."""
        return _model_file(self.evaluated)

    @property
    def document(self) -> dict[str, Any]:
        """The content of the run's metrics.json."""
        return self.evaluated.document

    @property
    def images(self) -> ImageScores:
        """The scores of the single images."""
        return self.evaluated.images

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes by trainId."""
        return tuple(self.document["classes"])

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the conditions, without the whole."""
        return tuple(name for name in self.document["scores"] if name != FULL)

    @property
    def columns(self) -> tuple[str, ...]:
        """The conditions to show: with the whole, unless there is only one."""
        if len(self.conditions) > 1:
            return (FULL, *self.conditions)
        return self.conditions if self.conditions[0] in CONDITIONS else (FULL,)

    @property
    def miou(self) -> float:
        """The mean IoU over all images, 0…1; 0 where it is undefined."""
        return float(self.scores()["miou"] or 0)

    @property
    def ece(self) -> float:
        """The expected calibration error (ECE) over all pixels, 0…1."""
        return float(self.scores()["ece"])

    @property
    def distilled(self) -> bool:
        """True if the network learnt from a teacher."""
        return self.config is not None and self.config.teacher is not None

    @property
    def network(self) -> str:
        """The network, with a width other than the usual; the run's name where the network is unknown."""
        if self.config is None:
            return self.name
        student = self.config.student
        family = FAMILIES.get(student.model)
        own_width = family is not None and student.channels not in (None, family.channels)
        return network_name(student) + (f", {student.channels} channels" if own_width else "")

    @property
    def catalogue_name(self) -> str | None:
        """The network's name in the catalogue; None for a network that is not in it."""
        return self.network if self.network in MODELS else None

    @property
    def cost(self) -> TrainingCost | None:
        """What the training has cost; None if that was not recorded with the scores."""
        return read_cost(self.document["model"].get(COST_KEY))

    @property
    def training_images(self) -> int | None:
        """The number of images that it was trained on; None if that was not recorded with the scores."""
        found = self.document["model"].get(IMAGES_KEY)
        return None if found is None else int(found)

    def scores(self, condition: str = FULL) -> dict[str, Any]:
        """Return the values of one condition."""
        return dict(self.document["scores"][condition])

    def parameters(self) -> int | None:
        """Return the number of parameters that the vehicle carries, where it is known."""
        found = self.document["model"].get("parameters")
        if found is None and self.config is not None:
            with torch.device("meta"):
                student = self.config.student.model_copy(update={"pretrained": False})
                found = build_network(student, len(self.class_names)).deployed_parameters()
        return None if found is None else int(found)


def miou_of(run: Run) -> float:
    """Return the mean IoU of a run, to sort by."""
    return run.miou


def network_name(student: NetworkConfig) -> str:
    """Name a network as the catalogue does."""
    return f"{student.model}_{student.backbone}" if student.backbone else student.model


def load_runs(paths: Sequence[Path], baseline: Path | None = None) -> list[Run]:
    """Read runs, the baseline first.

    :param baseline: one of ``paths`` or another one; None: the first.
    :raises UserError: for what is missing, damaged, of another version, given twice, or over other data.
    """
    evaluated = [read_run(path) for path in paths]
    if baseline is not None:
        first = read_run(baseline)
        evaluated = [first, *(run for run in evaluated if _place(run) != _place(first))]
    for place, count in Counter(map(_place, evaluated)).items():
        if count > 1:
            raise UserError(f"{place} is given {count} times: give each run once")
    for run in evaluated:
        _check_scores(run)
    check_comparable(evaluated)
    labels = _labels(evaluated)
    return [Run(label, run, _config(run)) for label, run in zip(labels, evaluated, strict=True)]


def image_miou(images: ImageScores) -> NDArray[np.float64]:
    """Mean IoU of every image over the classes that its labels hold, float64 [N]; NaN without labels.

    The classes are the same for every model, unlike those that occur in labels or predictions.
    """
    held = images.confusion.sum(axis=2) > 0
    iou = np.where(held, iou_per_class(images.confusion), 0.0)
    total = held.sum(axis=1)
    return np.divide(iou.sum(axis=1), total, out=np.full(len(images), np.nan), where=total > 0)


def _place(run: EvaluatedRun) -> Path:
    return run.path.resolve()


def _model_places(run: EvaluatedRun) -> list[Path]:
    """Return the places where the model of an evaluation may be, the nearest first."""
    about = run.document["model"]
    places = [run.path.parent / str(about["file"])]
    # Files of an earlier version do not say where the model was.
    if about.get("path") is not None and Path(about["path"]) != places[0].absolute():
        places.append(Path(about["path"]))
    return places


def _model_file(run: EvaluatedRun) -> Path | None:
    """Return the model of an evaluation, of several the one that was evaluated; None if none is there."""
    found = [place for place in _model_places(run) if _is_file(place)]
    for place in found:
        if len(found) > 1 and sha256(place) == run.document["model"]["sha256"]:
            return place
    return found[0] if found else None


def _is_file(path: Path) -> bool:
    """Return whether a path is a file's; one that no system could have is none."""
    try:
        return path.is_file()
    except OSError:  # too long, for one
        return False


def _folder(run: EvaluatedRun) -> Path:
    """Return the folder of a run: its model's, or that of the metrics where the model is gone."""
    return (_model_file(run) or run.path).parent


def _labels(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Return the shortest of name, folder and path that tells the runs apart."""
    for labels in _candidates(runs):
        if len(set(labels)) == len(labels):
            return labels
    return [str(run.path) for run in runs]


def _candidates(runs: Sequence[EvaluatedRun]) -> Iterator[list[str]]:
    yield [str(run.document["model"]["name"]) for run in runs]
    yield [_place(run).parent.name for run in runs]
    yield ["/".join(_place(run).parts[-2:]).removesuffix(".metrics.json") for run in runs]


def _config(run: EvaluatedRun) -> Config | None:
    """Return the configuration next to the model or the metrics, if there is one and it is the model's."""
    for folder in dict.fromkeys((_folder(run), run.path.parent)):
        try:
            config = load_config(folder / "config.yaml")
        except UserError:
            continue
        if config.name == run.document["model"]["name"]:
            return config
    return None


def _check_scores(run: EvaluatedRun) -> None:
    """Refuse a metrics.json that lacks what the report shows; raises UserError."""
    document = run.document
    needed = ("name", "file", "sha256", "temperature", "calibration")
    if any(document["model"].get(key) is None for key in needed):
        raise UserError(f"{run.path} does not say which model it is of: evaluate the model again")
    if not all(key in document["data"] for key in ("dataset", "root", "split")):
        raise UserError(f"{run.path} does not say of which data it is: evaluate the model again")
