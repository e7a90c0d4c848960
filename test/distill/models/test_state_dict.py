"""Tensors of files that other programs have written: found, renamed, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from distill.models.state_dict import tensors_of, without_prefix
from kd_seg_ros.common.errors import UserError

WEIGHT = torch.arange(3.0)


@pytest.mark.parametrize(
    "content",
    [
        {"a.b": WEIGHT},
        {"module.a.b": WEIGHT},
        {"a._orig_mod.b": WEIGHT},
        {"epoch": 3, "state_dict": {"_orig_mod.module.a.b": WEIGHT}},
        {"model": {"state_dict": {"a.b": WEIGHT}}},
        {"model_state_dict": {"a.b": WEIGHT}, "optimizer": {"state": {}}},
    ],
)
def test_the_usual_wrappings_are_taken_off(content: dict[str, Any]) -> None:
    found = tensors_of(content, "file")
    assert list(found) == ["a.b"]
    assert torch.equal(found["a.b"], WEIGHT)


def test_averaged_weights_win_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    found = tensors_of({"state_dict": {"a": WEIGHT}, "state_dict_ema": {"a": WEIGHT + 1}}, "file")
    assert torch.equal(found["a"], WEIGHT + 1)
    assert "file: the averaged weights are taken (state_dict_ema), not state_dict" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "file is no dictionary of tensors, but a NoneType"),
        (WEIGHT, "file is no dictionary of tensors, but a tensor"),
        ({}, "file holds no tensors"),
        ({"a": WEIGHT, "b": 5}, "file is no dictionary of tensors: it has 'b', a int"),
        ({"a": WEIGHT, 1: WEIGHT}, "it has 1, a tensor"),
        ({"a": WEIGHT, "module.a": WEIGHT}, "file holds a twice"),
        ({"a": WEIGHT.to("meta")}, "a is on the device 'meta', without values"),
        ({"a": WEIGHT.to_sparse()}, "a is sparse"),
        ({"a": WEIGHT + 1j}, "a is complex"),
        ({"a": torch.quantize_per_tensor(WEIGHT, 0.1, 0, torch.qint8)}, "a is quantised"),
    ],
)
def test_what_is_no_weight_is_named(content: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        tensors_of(content, "file")


def test_a_prefix_goes_only_if_all_names_have_it() -> None:
    assert list(without_prefix({"model.a": WEIGHT, "model.b": WEIGHT}, "model.")) == ["a", "b"]
    assert list(without_prefix({"model.a": WEIGHT, "b": WEIGHT}, "model.")) == ["model.a", "b"]
