"""A teacher's classes as the labels of images without labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from acdc_tree import write_acdc
from architectures import SMALL_BACKBONE
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.config import Config, parse_config
from distill.data.border_weights import border_weights
from distill.datasets.frame import Frame, read_sample
from distill.models.output import Output
from distill.training.data_module import SegmentationDataModule
from distill.training.pseudo_labels import PseudoLabeller, pseudo_labels
from distill.training.whole_images import WholeImages
from kd_seg_ros.common.errors import UserError

CPU = torch.device("cpu")


class Halves:
    """A teacher that takes the left half of every image for class 3 and the right half for class 5."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, image: torch.Tensor) -> Output:
        self.asked += 1
        logits = torch.zeros(1, 19, *image.shape[-2:])
        middle = image.shape[-1] // 2
        logits[:, 3, :, :middle] = 9
        logits[:, 5, :, middle:] = 9
        return Output(logits=logits, pre_logits=image[:, :0], features={})


def config_of(tmp_path: Path, teacher: dict[str, Any], **objective: Any) -> Config:
    """Return an experiment on four labelled and four unlabelled images."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "teacher.ckpt").write_bytes(b"weights")
    root = write_acdc(tmp_path / "acdc", frames=1, size=(40, 64))
    write_acdc(tmp_path / "more", splits=("test",), frames=1, size=(40, 64))
    values = {
        "name": "x",
        "out": str(tmp_path / "runs"),
        "data": {
            "root": str(root),
            "crop": [40, 64],
            "working_scale": 1,
            "scale": [1, 1],
            "workers": 0,
            "extra": [{"root": str(tmp_path / "more"), "split": "test"}],
        },
        "student": {"backbone": SMALL_BACKBONE},
        "teacher": {
            "checkpoint": str(tmp_path / "teacher.ckpt"),
            "cache": str(tmp_path / "cache"),
            "whole_images": True,
            **teacher,
        },
        "objective": objective,
        "training": {"batch_size": 2},
    }
    return parse_config(values, "here")


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.6, 1.0]))
def test_labels_are_the_likeliest_classes_where_they_are_likely_enough(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(5, 6, 7)).astype(np.float32)
    exponentials = np.exp(logits.astype(np.float64))
    probabilities = exponentials / exponentials.sum(axis=0)
    expected = np.where(probabilities.max(axis=0) >= threshold, probabilities.argmax(axis=0), 255)
    np.testing.assert_array_equal(pseudo_labels(torch.from_numpy(logits), (6, 7), threshold), expected)


def test_they_have_the_size_of_the_image() -> None:
    logits = torch.zeros(3, 4, 5)
    logits[2, :, 3:] = 10
    labels = pseudo_labels(logits, (15, 19), 0)
    assert (labels.shape, labels.dtype) == ((15, 19), np.uint8)
    # Maps are brought to the image's size as at deployment, so that half a cell beside the border is shared.
    resized = cv2.resize(logits[2].numpy(), (19, 15), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(labels == 2, resized > 1e-6)


def test_only_images_without_labels_get_them(tmp_path: Path) -> None:
    config, teacher = config_of(tmp_path, {"pseudo_labels": 0.5}), Halves()
    data = SegmentationDataModule(config)
    outputs = WholeImages(config, data.training)
    before = data.training
    data.training = outputs.labelled(before)
    assert [frame.labels for frame in before[:4]] == [frame.labels for frame in data.training[:4]]
    assert all(frame.labels is None for frame in before[4:])
    outputs.fill(teacher, CPU)
    for frame in data.training[4:]:
        labels = read_sample(frame).labels
        assert labels is not None
        assert set(labels[:, :31].flat) == {3}
        assert set(labels[:, 33:].flat) == {5}
    # In a batch they are labels like others, with borders of their own and a teacher's say everywhere.
    for batch in data.train_dataloader():
        keys = ("labels", "weights", "distil", "path")
        for labels, weights, distil, path in zip(*(batch[key] for key in keys), strict=True):
            np.testing.assert_array_equal(weights, border_weights(labels.numpy().astype(np.uint8)))
            np.testing.assert_array_equal(distil, labels != 255)
            if "/more/" in path:
                assert set(labels.flatten().tolist()) == {3, 5}
            else:
                assert len(labels.unique()) > 10


@pytest.mark.parametrize("order", [1, -1])
def test_an_image_that_occurs_with_labels_and_without_gets_them(tmp_path: Path, order: int) -> None:
    config = config_of(tmp_path, {"pseudo_labels": 0})
    frame = SegmentationDataModule(config).training[0]
    both = [frame, replace(frame, labels=None)][::order]
    outputs = WholeImages(config, both)
    outputs.fill(Halves(), CPU)
    found = [read_sample(each).labels for each in outputs.labelled(both)][::order]
    assert found[0] is not None
    assert found[1] is not None
    assert len(np.unique(found[0])) > 10
    assert set(found[1].flat) == {3, 5}


@pytest.mark.parametrize(("logits", "needed"), [("none", 4), ("kl", 8)])
def test_another_threshold_asks_the_teacher_nothing_anew(tmp_path: Path, logits: str, needed: int) -> None:
    teacher = Halves()
    values = config_of(tmp_path, {"pseudo_labels": 0.5}, logits=logits).model_dump(mode="json")
    for threshold in (0.5, 0.5, 1.0):
        values["teacher"]["pseudo_labels"] = threshold
        config = parse_config(values, "here")
        outputs = WholeImages(config, SegmentationDataModule(config).training)
        outputs.fill(teacher, CPU)
        # Images with labels are asked about where a loss compares with the teacher.
        assert teacher.asked == needed
    # Nowhere is the teacher certain, so that nothing is left of the labels.
    frames = outputs.labelled(outputs.frames)
    labels = read_sample(frames[-1]).labels
    assert labels is not None
    assert set(labels.flat) == {255}
    assert len(list(tmp_path.glob("cache/*/*.png"))) == 8


def test_processes_share_the_work(tmp_path: Path) -> None:
    config, teacher = config_of(tmp_path, {"pseudo_labels": 0}), Halves()
    outputs = WholeImages(config, SegmentationDataModule(config).training)
    for rank in range(3):
        outputs.fill(teacher, CPU, rank, 3)
    outputs.fill(teacher, CPU)
    assert teacher.asked == 4
    assert len(list(tmp_path.glob("cache/*/*.png"))) == 4
    assert not list(tmp_path.glob("cache/*/*.part"))


def test_labels_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    labeller = PseudoLabeller(0.5, 3)
    with pytest.raises(UserError, match=r"cannot write teacher cache .*no such file or directory"):
        labeller.write(tmp_path / "missing" / "a.safetensors", torch.zeros(3, 2, 2), (4, 4))


def test_a_frame_keeps_its_image_and_takes_trainids(tmp_path: Path) -> None:
    frame = Frame(tmp_path / "a.png", None, "fog", label_map=bytes(256))
    labelled = PseudoLabeller(0.25, 11).labelled(frame, tmp_path / "abc.safetensors")
    assert labelled == Frame(tmp_path / "a.png", tmp_path / "abc_0.25.png", "fog", None, 11)


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"are made before training: set teacher\.whole_images, too"):
        config_of(tmp_path / "a", {"pseudo_labels": 0.5, "whole_images": False}, logits="kl")
    with pytest.raises(UserError, match=r"pseudo_labels.*less than or equal to 1"):
        config_of(tmp_path / "b", {"pseudo_labels": 1.5})
    with pytest.raises(UserError, match="a teacher is given but no term of the objective uses it"):
        config_of(tmp_path / "c", {})
    config = config_of(tmp_path / "d", {"pseudo_labels": 0})
    labelled = SegmentationDataModule(config).training[:4]
    with pytest.raises(UserError, match=r"all 4 training images have some: give others by data\.extra"):
        WholeImages(config, labelled)
