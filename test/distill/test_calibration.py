from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from distill.calibration import calibration_path, find_temperature, read_calibration, stored_temperature
from kd_seg_ros.errors import UserError


def draw(logits: torch.Tensor, seed: int) -> torch.Tensor:
    """Draw labels from the distribution that the logits describe."""
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_recovers_the_temperature_that_made_the_labels(true_temperature: float) -> None:
    logits = torch.randn(200_000, 19, generator=torch.Generator().manual_seed(0)) * 2
    labels = draw(logits, 1)
    assert find_temperature(logits * true_temperature, labels) == pytest.approx(true_temperature, rel=0.02)


def test_it_is_the_minimum_of_the_nll() -> None:
    """Against NumPy's NLL on a fine grid."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(500, 5)) * 3, rng.integers(0, 5, 500)
    labels[:300] = logits[:300].argmax(1)

    def nll(temperature: float) -> float:
        scaled = logits / temperature
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(500), labels]))

    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 4000))
    best = grid[np.argmin([nll(t) for t in grid])]
    found = find_temperature(torch.from_numpy(logits), torch.from_numpy(labels))
    assert found == pytest.approx(best, rel=2e-3)


def test_nothing_to_calibrate_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="no labelled pixel"):
        find_temperature(torch.zeros(0, 19), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="NaN"):
        find_temperature(torch.full((2, 19), torch.nan), torch.zeros(2, dtype=torch.int64))


def test_calibration_belongs_to_one_version_of_a_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.ckpt"
    checkpoint.write_bytes(b"abc")
    assert read_calibration(checkpoint) is None
    assert stored_temperature(checkpoint) is None
    # sha256("abc"), FIPS 180-2 appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    document = {"checkpoint_sha256": digest, "temperature": 1.5}
    calibration_path(checkpoint).write_text(json.dumps(document))
    assert stored_temperature(checkpoint) == 1.5
    checkpoint.write_bytes(b"abcd")
    with pytest.raises(UserError, match="another version"):
        read_calibration(checkpoint)
    calibration_path(checkpoint).write_text("{")
    with pytest.raises(UserError, match="damaged"):
        read_calibration(checkpoint)
