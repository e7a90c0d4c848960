"""Wrong model cards from a seed, in whole model files; part of :mod:`kd_seg_ros.faults.models`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import partial
from typing import Any, Final

import numpy as np

from kd_seg_ros.common.classes import CLASS_NAMES, IGNORE_ID, PALETTE
from kd_seg_ros.faults.images import Outcome
from kd_seg_ros.faults.onnx_writer import model_bytes, small_graph
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.digest import seal, to_be_sealed

HEIGHT, WIDTH = 24, 32
"""Size of the images of the files, pixels."""


def small_model(height: int = HEIGHT, width: int = WIDTH) -> bytes:
    """Return an undamaged file of the network with the known answer."""
    return seal(model_bytes(small_graph(height, width), to_be_sealed(base_card(height, width)).to_json()))


Made = tuple[bytes, Outcome]
"""A file, and what an engine must make of it."""
Maker = Callable[[np.random.Generator], Made]


def base_card(height: int = HEIGHT, width: int = WIDTH) -> ModelCard:
    """Return a right card for the network with the known answer."""
    return ModelCard(
        name="small",
        class_names=CLASS_NAMES,
        palette=PALETTE,
        ignore_id=IGNORE_ID,
        height=height,
        width=width,
        working_scale=1.0,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        temperature=1.0,
        parameters=0,
        dataset="none",
        package_version="",
        created="",
        config={},
        config_hash="",
    )


def _sealed_card(values: dict[str, Any]) -> bytes:
    """Return a file with any card, sealed as far as the card has the place for a digest."""
    text = json.dumps(values)
    content = model_bytes(small_graph(HEIGHT, WIDTH), text)
    try:
        return seal(content)
    except ValueError:
        return content


def _card_values() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(to_be_sealed(base_card()).to_json())
    return values


def _card_with(_: np.random.Generator, **changes: Any) -> Made:
    return _sealed_card(_card_values() | changes), Outcome.REFUSED


def _card_lacks(rng: np.random.Generator) -> Made:
    """Leave out a field without a default."""
    values = _card_values()
    required = [
        item.name for item in fields(ModelCard) if item.default is MISSING and item.default_factory is MISSING
    ]
    del values[str(rng.choice(required))]
    return _sealed_card(values), Outcome.REFUSED


_ODD_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, -1, 0, 1.5, 1e308, float("nan"), float("inf"), 10**30, "", "x", "\ud800", "a\nb"),
    *([], [1], [[]], {}, {"a": "b"}, {"full": [2, 1]}, {"method": "x", "parameters": {"temperature": 0}}),
)
_COUNTING: Final = ("height", "width", "ignore_id", "working_scale", "temperature", "mean", "std", "palette")
"""Fields for which no odd value is right."""


def _odd_value(rng: np.random.Generator) -> Made:
    """Give a field a value of another kind or range; a few of them are possible."""
    values = _card_values()
    name = str(rng.choice([key for key in values if key not in ("digest", "digest_method")]))
    values[name] = _ODD_VALUES[int(rng.integers(len(_ODD_VALUES)))]
    possible = name == "working_scale" or name == "temperature"
    refused = name in _COUNTING and not (possible and values[name] == 1.5)
    return _sealed_card(values), Outcome.REFUSED if refused else Outcome.EITHER


def _card_text(text: str) -> Maker:
    return lambda _: (model_bytes(small_graph(HEIGHT, WIDTH), text), Outcome.REFUSED)


def _few_classes(_: np.random.Generator) -> Made:
    """Name three classes where the masks hold up to sixteen."""
    return _card_with(_, class_names=CLASS_NAMES[:3], palette=PALETTE[:3])


def _two_alike(rng: np.random.Generator) -> Made:
    names = list(CLASS_NAMES)
    first, second = rng.choice(len(names), 2, replace=False)
    names[first] = names[second]
    return _card_with(rng, class_names=names)


def _short_palette(rng: np.random.Generator) -> Made:
    return _card_with(rng, palette=PALETTE[: int(rng.integers(len(PALETTE)))])


def _ignore_id_of_a_class(rng: np.random.Generator) -> Made:
    return _card_with(rng, ignore_id=int(rng.integers(len(CLASS_NAMES))))


def _other_size(rng: np.random.Generator) -> Made:
    return _card_with(rng, height=HEIGHT + int(rng.integers(1, 10_000)))


CARD_CASES: Final[dict[str, Maker]] = {
    "card: no JSON": _card_text("{"),
    "card: a list": _card_text("[]"),
    "card: a number": _card_text("1" * 10_000),
    "card: brackets without end": _card_text("[" * 100_000),
    "card: empty": _card_text(""),
    "card: lacks a field": _card_lacks,
    "card: an odd value": _odd_value,
    "card: another schema": partial(_card_with, schema=2),
    "card: one class": partial(_card_with, class_names=["road"], palette=[[0, 0, 0]]),
    "card: fewer classes than the masks have": _few_classes,
    "card: two classes of one name": _two_alike,
    "card: a class without a name": partial(_card_with, class_names=[" ", *CLASS_NAMES[1:]]),
    "card: too few colours": _short_palette,
    "card: ignore id of a class": _ignore_id_of_a_class,
    "card: another size": _other_size,
    "card: an enormous size": partial(_card_with, height=2**31, width=2**31),
    "card: mean in 0…255": partial(_card_with, mean=[123.7, 116.3, 103.5]),
}
"""Cases by name."""
