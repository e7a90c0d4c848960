"""Changes to a file's dictionary of tensors, as other programs and accidents make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from kd_seg_ros.campaign.outcome import Expected

State = dict[str, Any]
Change = Callable[[State, np.random.Generator], State]
"""Returns the changed dictionary; it may change the one it is given."""


def some_float(state: State, rng: np.random.Generator) -> str:
    """Choose a tensor of more than one floating-point value by name."""
    names = [name for name, value in state.items() if value.is_floating_point() and value.numel() > 1]
    return str(rng.choice(sorted(names)))


def _each(convert: Callable[[Tensor], Any]) -> Change:
    """Return what converts one tensor of floating-point values."""

    def change(state: State, rng: np.random.Generator) -> State:
        name = some_float(state, rng)
        state[name] = convert(state[name])
        return state

    return change


def _all(convert: Callable[[Tensor], Tensor]) -> Change:
    """Return what converts all tensors of floating-point values."""

    def change(state: State, _: np.random.Generator) -> State:
        return {name: convert(value) if value.is_floating_point() else value for name, value in state.items()}

    return change


def _named(prefix: str) -> Change:
    """Return what puts a prefix before every name."""

    def change(state: State, _: np.random.Generator) -> State:
        return {f"{prefix}{name}": value for name, value in state.items()}

    return change


def _drop(state: State, rng: np.random.Generator) -> State:
    del state[some_float(state, rng)]
    return state


def _add(state: State, _: np.random.Generator) -> State:
    state["nowhere.weight"] = torch.zeros(3)
    return state


def _odd_value(state: State, rng: np.random.Generator) -> State:
    values = (None, 5, "x", [1.0], {"a": 1}, torch.zeros(0), 1.5)
    state[some_float(state, rng)] = values[int(rng.integers(len(values)))]
    return state


def _not_finite(state: State, rng: np.random.Generator) -> State:
    value = state[some_float(state, rng)]
    value.view(-1)[int(rng.integers(value.numel()))] = (float("nan"), float("inf"))[int(rng.integers(2))]
    return state


def _beyond_float32(value: Tensor) -> Tensor:
    """Return numbers that are finite, but not in the type of the network."""
    return torch.full(value.shape, 1e300, dtype=torch.float64)


def _strided(value: Tensor) -> Tensor:
    """Return the same values, not contiguous in memory."""
    return torch.stack([value, value], dim=-1)[..., 0]


def _claims_much(_: Tensor) -> Tensor:
    """Return a tensor of many terabytes that stores one number."""
    return torch.zeros(1).expand(2**20, 2**20, 4)


def _halved(value: Tensor) -> Tensor:
    return value.half()


_REFUSED, _SAME, _EITHER = Expected.REFUSED, Expected.SAME, Expected.EITHER

TENSORS: Final[dict[str, tuple[Expected, Change]]] = {
    "as they are": (_SAME, _all(Tensor.clone)),
    "double precision": (_SAME, _all(Tensor.double)),
    "not contiguous": (_SAME, _all(_strided)),
    "half precision": (_EITHER, _all(_halved)),
    "bfloat16": (_EITHER, _all(Tensor.bfloat16)),
    "a missing one": (_REFUSED, _drop),
    "one too many": (_REFUSED, _add),
    "an odd one": (_REFUSED, _odd_value),
    "of another shape": (_REFUSED, _each(lambda _: torch.zeros(7, 5, 3))),
    "of whole numbers": (_REFUSED, _each(Tensor.long)),
    "complex": (_REFUSED, _each(lambda value: value + 1j)),
    "sparse": (_REFUSED, _each(Tensor.to_sparse)),
    "quantised": (_REFUSED, _each(lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8))),
    "without values": (_REFUSED, _each(lambda value: value.to("meta"))),
    "not finite": (_REFUSED, _not_finite),
    "beyond single precision": (_REFUSED, _each(_beyond_float32)),
    "of terabytes": (_REFUSED, _each(_claims_much)),
}
"""Name → what must come of it, and what changes the dictionary."""

WRAPPED: Final[dict[str, Change]] = {
    "of DistributedDataParallel": _named("module."),
    "of torch.compile": _named("_orig_mod."),
    "of both": _named("module._orig_mod."),
}
"""Name → what renames the tensors as a wrapper of PyTorch does; they must be taken all the same."""
