from __future__ import annotations

import pytest
import torch
from architectures import small_network

from distill.benchmarks import batches
from kd_seg_ros.common.errors import UserError


def test_each_batch_is_one_run_and_is_told_per_image(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, ...]] = []
    network = small_network("fpn_lite_nano", 5).eval()
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    monkeypatch.setattr(batches, "random_network", lambda _: network)
    monkeypatch.setattr(batches.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(
        batches, "median_seconds", lambda runs, _: [len(runs) * float(run() > -1e9) for run in runs]
    )
    result = batches.run(0.1, ["fpn_lite_nano"], (32, 64))
    assert sizes == [(batch, 3, 32, 64) for batch in batches.BATCHES]
    (figure,) = result.figures
    assert figure["ms_per_image"] == {"1": 3000.0, "2": 1500.0, "4": 750.0}
    assert "| `fpn_lite_nano` | 3000.00 | 1500.00 | 750.00 | 75 % |" in result.text
    assert "64×32" in result.text


def test_a_network_must_be_known() -> None:
    with pytest.raises(UserError, match="did you mean 'pidnet_s'"):
        batches.run(0.1, ["pidnet_ss"])
    with pytest.raises(UserError, match="'fpn_lite' alone names no network"):
        batches.run(0.1, ["fpn_lite"])
    assert torch.get_default_dtype() is torch.float32
