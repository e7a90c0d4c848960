from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from acdc_tree import write_png
from torch import Tensor, nn
from torchmetrics.classification import MulticlassCalibrationError, MulticlassJaccardIndex

from distill.calibration.passes import count_masks, draw_pixels, score_all
from distill.datasets.frame import Frame, read_sample
from distill.metrics import mean_iou
from distill.models.deployed import DeployedModel
from distill.models.logit_calibration import NONE, LogitCalibration
from distill.models.output import Output

CLASSES = ("road", "car", "sky")
CALIBRATIONS = {
    "none": LogitCalibration(),
    "temperature": LogitCalibration("temperature", temperature=2.0),
    "class_temperature": LogitCalibration("class_temperature", temperatures=(0.5, 3.0, 1.0)),
    "adaptive_temperature": LogitCalibration(
        "adaptive_temperature", temperatures=(0.5, 3.0, 1.0), exponent=-0.5
    ),
    "vector": LogitCalibration("vector", weights=(1.0, 0.3, 2.0), biases=(0.5, 0.0, -1.0)),
}


class Channels(nn.Module):
    """Logits are red, green and blue."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, image: Tensor) -> Output:
        return Output(image, image, {})


def model(calibration: LogitCalibration = NONE) -> DeployedModel:
    """Logits are (value − 127.5) / 25.5, −5…5."""
    return DeployedModel(Channels(), (0.5,) * 3, (0.1,) * 3, 1.0, calibration)


@pytest.fixture
def frames(tmp_path: Path) -> list[Frame]:
    """Three images; the last has a single labelled pixel."""
    rng = np.random.default_rng(0)
    frames = []
    for number, condition in enumerate(("fog", "night", "fog")):
        image, labels = tmp_path / "images" / f"{number}.png", tmp_path / "labels" / f"{number}.png"
        pixels = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
        truth = np.where(rng.random((10, 12)) < 0.6, pixels.argmax(2), rng.integers(0, 3, (10, 12)))
        truth[rng.random((10, 12)) < 0.1] = 255
        if number == 2:
            truth[...] = 255
            truth[3, 4] = 1
        write_png(image, pixels)
        write_png(labels, truth.astype(np.uint8))
        frames.append(Frame(image, labels, condition, num_classes=3))
    return frames


def logits_of(sample_image: np.ndarray) -> Tensor:
    return torch.from_numpy((sample_image.astype(np.float32) - 127.5) / 25.5).movedim(-1, 0)


def rounded(values: Tensor) -> list[float]:
    """Round logits to what survives their way through the network."""
    return [round(float(value), 3) for value in values]


def test_draws_pixels_with_their_labels_evenly_from_the_images(frames: list[Frame]) -> None:
    drawn = draw_pixels(model(), frames, 60, 3)
    assert len(drawn.logits) == len(drawn.labels) == 20 + 20 + 1
    assert (drawn.labels != 255).all()
    for number, part in enumerate((slice(0, 20), slice(20, 40), slice(40, 41))):
        sample = read_sample(frames[number])
        assert sample.labels is not None
        logits, known = logits_of(sample.image), set()
        for y, x in np.argwhere(sample.labels != 255).tolist():
            known.add((*rounded(logits[:, y, x]), int(sample.labels[y, x])))
        found = set()
        for values, label in zip(drawn.logits[part], drawn.labels[part].tolist(), strict=True):
            found.add((*rounded(values), label))
        assert found <= known
        assert len(found) == min(20, len(known))
    again = draw_pixels(model(), frames, 60, 3)
    assert torch.equal(drawn.logits, again.logits)


def test_masks_are_counted_by_condition(frames: list[Frame]) -> None:
    drawn = draw_pixels(model(), frames, 10, 3).confusion
    for calibration in ("class_temperature", "vector"):
        counted = count_masks(model(CALIBRATIONS[calibration]), frames, 3)
        assert counted.keys() == drawn.keys() == {"full", "fog", "night"}
        jaccard = MulticlassJaccardIndex(3, average="none", ignore_index=255)
        for sample in map(read_sample, frames):
            assert sample.labels is not None
            mask = CALIBRATIONS[calibration].apply(logits_of(sample.image)).argmax(0)
            jaccard.update(mask, torch.from_numpy(sample.labels.astype(np.int64)))
        assert mean_iou(counted["full"]) == pytest.approx(float(jaccard.compute().mean()))
        np.testing.assert_array_equal(counted["full"], counted["fog"] + counted["night"])
        same = [np.array_equal(counted[key], drawn[key]) for key in drawn]
        assert all(same) == (calibration == "class_temperature")  # which keeps the mask


def test_every_calibration_is_scored_on_the_same_logits(frames: list[Frame]) -> None:
    scores = {k: v.summary() for k, v in score_all(model(), frames, CALIBRATIONS, CLASSES).items()}
    samples = [read_sample(frame) for frame in frames]
    assert list(scores) == list(CALIBRATIONS)
    for name, calibration in CALIBRATIONS.items():
        logits = torch.cat([calibration.apply(logits_of(s.image)).flatten(1).T for s in samples])
        truth = np.stack([sample.labels for sample in samples if sample.labels is not None])
        labels = torch.from_numpy(truth.astype(np.int64)).flatten()
        full = scores[name]["full"]
        ece = MulticlassCalibrationError(3, n_bins=15, ignore_index=255)(logits.softmax(1), labels)
        assert full["ece"] == pytest.approx(float(ece), abs=1e-6)
        nll = nn.functional.cross_entropy(logits, labels, ignore_index=255)
        assert full["nll"] == pytest.approx(float(nll), rel=1e-5)
        assert full["images"] == 3
        assert scores[name]["night"]["images"] == 1
    assert scores["none"]["full"]["miou"] == scores["class_temperature"]["full"]["miou"]
    assert scores["none"]["full"]["miou"] != scores["vector"]["full"]["miou"]
