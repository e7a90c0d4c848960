"""The smoke test runs what an experiment is made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from acdc_tree import write_acdc

from distill.checkpoints.student import build_network
from distill.config import load_config
from distill.data.from_config import training_parts
from distill.experiments.smoke import IMAGES, OVERRIDES, TEACHER, on_scenes, run_small, small, smoke_files
from distill.experiments.thesis import find_experiment
from distill.scenes.dataset import write_dataset


def test_a_smoke_test_logs_every_term(tmp_path: Path) -> None:
    write_dataset(tmp_path, train=4, val=4, size=(64, 96), seed=0)
    overrides = {**OVERRIDES, "data.root": str(tmp_path), "data.crop": [64, 64]}
    config = small(load_config(find_experiment("F").file, overrides), {"resnet18"})
    logged = run_small(config, build_network(TEACHER))
    assert {"train/semantic", "train/kl", "train/l2", "val/miou"} <= logged.keys()
    assert logged["train/loss"] == pytest.approx(
        logged["train/semantic"] + logged["train/kl"] + logged["train/l2"], rel=1e-4
    )


def test_a_bag_stands_in_for_a_bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drive's images are read from a rosbag2, and are normalised as the first data set."""
    monkeypatch.setattr("distill.experiments.smoke.SIZE", (32, 32))
    write_acdc(tmp_path, frames=1, size=(8, 12))
    config = on_scenes(load_config(find_experiment("ch5_rn18_kl_unlabelled_bag").file, OVERRIDES), tmp_path)
    (source,) = config.data.extra
    assert source.topic == "/camera/image_raw"
    first, drive = training_parts(config.data)
    assert (len(first.frames), len(drive.frames)) == (4, IMAGES)
    assert [frame.labels for frame in drive.frames] == [None] * IMAGES
    assert (drive.mean, drive.std) == (first.mean, first.std)


def test_every_backbone_runs_once_as_it_is_and_every_other_network_always() -> None:
    done: set[str] = set()
    students = [small(load_config(file, OVERRIDES), done).student for file in smoke_files()]
    backbones = [student.backbone for student in students if student.backbone]
    for own, stand_in in (
        ("resnet18", "test_resnet"),
        ("mobilenetv4_conv_medium", "test_efficientnet"),
    ):
        assert backbones.count(own) == 1
        assert backbones.count(stand_in) > 3
    assert {student.model for student in students} > {"pidnet_s", "pidnet_m", "pidnet_l", "segformer_b0"}
    assert {student.model for student in students} > {"sfnet_resnet18", "sfnet_lite_resnet18", "hrnetv2_w48"}
