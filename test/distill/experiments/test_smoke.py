"""The smoke test runs what an experiment is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.config import load_config
from distill.experiments.smoke import OVERRIDES, run_small, small
from distill.experiments.thesis import find_experiment
from distill.scenes.dataset import write_dataset


def test_a_smoke_test_logs_every_term(tmp_path: Path) -> None:
    write_dataset(tmp_path, train=4, val=4, size=(64, 96), seed=0)
    overrides = {**OVERRIDES, "data.root": str(tmp_path), "data.crop": [64, 64]}
    logged = run_small(small(load_config(find_experiment("F").file, overrides)))
    assert {"train/semantic", "train/kl", "train/l2", "val/miou"} <= logged.keys()
    assert logged["train/loss"] == pytest.approx(
        logged["train/semantic"] + logged["train/kl"] + logged["train/l2"], rel=1e-4
    )
