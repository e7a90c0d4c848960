"""What a checkpoint must hold before a run is resumed from it."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest

from distill.checkpoints.lightning_io import check_resumable, epochs_done
from kd_seg_ros.common.errors import UserError

WHOLE: dict[str, Any] = {
    "epoch": 2,
    "global_step": 30,
    "pytorch-lightning_version": "2.5.0",
    "state_dict": {},
    "callbacks": {},
    "optimizer_states": [{"state": {}, "param_groups": []}],
    "lr_schedulers": [],
    "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 3}}}},
    "hyper_parameters": {"config": {"name": "x"}},
}


def test_a_whole_one_passes() -> None:
    check_resumable(Path("last.ckpt"), WHOLE)
    assert epochs_done(WHOLE) == 3


@pytest.mark.parametrize("key", [key for key in WHOLE if key not in ("epoch", "pytorch-lightning_version")])
@pytest.mark.parametrize("value", ["missing", None, "x", 1.5, math.nan])
def test_an_odd_part_is_named(key: str, value: object) -> None:
    odd = {name: part for name, part in WHOLE.items() if name != key or value != "missing"}
    if value != "missing":
        odd[key] = value
    with pytest.raises(UserError, match=rf"^last\.ckpt cannot be resumed: its {key} is ") as caught:
        check_resumable(Path("last.ckpt"), odd)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [-1, True, "3", None, 2.0, math.nan, 2**70, []])
def test_an_odd_number_of_epochs_or_steps_is_refused(value: object) -> None:
    odd = copy.deepcopy(WHOLE)
    odd["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] = value
    with pytest.raises(UserError, match="its number of epochs is "):
        check_resumable(Path("last.ckpt"), odd)
    with pytest.raises(UserError, match="its global_step is "):
        check_resumable(Path("last.ckpt"), WHOLE | {"global_step": value})


@pytest.mark.parametrize(
    ("odd", "fault"),
    [
        ([1], "it holds a list"),
        (WHOLE | {"loops": {"fit_loop": 1}}, "its loops or hyper_parameters are damaged"),
        (WHOLE | {"hyper_parameters": {}}, "its loops or hyper_parameters are damaged"),
        (WHOLE | {"hyper_parameters": {"config": "x"}}, "its hyper_parameters are damaged"),
        (WHOLE | {"optimizer_states": []}, "its optimizer_states are empty"),
    ],
)
def test_another_file_is_refused(odd: object, fault: str) -> None:
    with pytest.raises(UserError, match=f"cannot be resumed: {fault}; start a new run"):
        check_resumable(Path("last.ckpt"), odd)
