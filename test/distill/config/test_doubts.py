"""Values that are most likely a slip are told with a reason; those of every shipped experiment are not."""

from __future__ import annotations

from typing import Any

import pytest

from distill.config import load_config, parse_config
from distill.config.doubts import doubts
from distill.config.shipped import shipped_configs
from kd_seg_ros.common.errors import UserError


def told(values: dict[str, Any], batches: int | None = None) -> list[str]:
    """Return the doubts about a small configuration with other values in its sections."""
    content: dict[str, Any] = {"name": "x", "data": {"root": "."}, "student": {"backbone": "resnet18"}}
    for section, keys in values.items():
        content[section] = content.get(section, {}) | keys
    return doubts(parse_config(content, "here"), batches)


def test_the_defaults_are_not_doubted() -> None:
    assert told({}) == []
    assert told({}, 200) == []


def test_no_shipped_experiment_is_doubted() -> None:
    for path in shipped_configs().values():
        if not path.stem.endswith("_base"):
            config = load_config(path)
            workers = config.data.model_copy(update={"workers": 1})  # the cores are this machine's
            assert doubts(config.model_copy(update={"data": workers})) == [], path


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"training": {"learning_rate": 4}}, "training.learning_rate 4 is high for adam: above 0.02 "),
        (
            {"training": {"learning_rate": 0.01, "backbone_factor": 25}},
            "with training.backbone_factor 25 is high",
        ),
        ({"training": {"learning_rate": 4, "optimiser": "sgd"}}, "is high for sgd: above 1 "),
        ({"training": {"learning_rate": 4e-12}}, "so low that the weights hardly change"),
        ({"training": {"weight_decay": 1}}, "training.weight_decay 1 is strong"),
        ({"training": {"ema": 0.1}}, "training.ema 0.1 averages hardly any"),
        ({"training": {"batch_size": 8000}}, "of one batch alone take 71.7 GB at 864×864 pixels"),
        ({"training": {"accumulate": 2000}}, "so many batches change the weights once"),
        ({"training": {"epochs": 25000}}, "training.epochs 25000 is long"),
        (
            {"training": {"epochs": 10, "patience": 5, "validate_every": 2}},
            "never stops the training: it has 5 ",
        ),
        ({"student": {"channels": 3200}}, "student.channels 3200 is wide"),
        ({"data": {"crop": [1080, 19]}}, "are 15×864 pixels"),
        ({"data": {"workers": 256}}, "data.workers 256 is many for 2 cores"),
    ],
)
def test_a_slip_is_told(values: dict[str, Any], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    found = told(values)
    assert len(found) == 1
    assert text in found[0]


def test_a_warm_up_as_long_as_the_training_is_told() -> None:
    values = {"training": {"epochs": 3, "accumulate": 2, "warm_up": 9}}
    assert "after 9 changes of the weights" in told(values, 5)[0]
    assert told(values, 7) == []


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("training", "batch_size", 80_000),
        ("training", "accumulate", 80_000),
        ("training", "epochs", 2_500_000),
        ("training", "learning_rate", 400),
        ("training", "weight_decay", 1e4),
        ("training", "warm_up", 10**12),
        ("training", "nodes", 10**6),
        ("student", "channels", 320_000),
    ],
)
def test_what_nobody_can_want_is_refused(section: str, key: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"{section}\.{key}.*less than or equal to"):
        told({section: {key: value}})
