"""The page of configuration keys is what the sections say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from distill.config import Config, TrainingConfig
from distill.config.keys import known_keys
from distill.losses.catalogue import FEATURE_LOSSES

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "configuration_docs.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("configuration_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(script: ModuleType) -> None:
    written = (SCRIPT.parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == script.page(), "run python scripts/configuration_docs.py"


def test_every_key_has_a_row_with_a_meaning(script: ModuleType) -> None:
    rows = [line for line in script.page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(list(known_keys()))
    for row in rows:
        key, values, _, meaning = row.removeprefix("| ").removesuffix(" |").split(" | ")
        assert values, key
        assert len(meaning.split()) > 1, key


@pytest.mark.parametrize(
    ("section", "name", "expected"),
    [
        (TrainingConfig, "epochs", "whole number > 0 and ≤ 1000000"),
        (TrainingConfig, "betas", "list of 2: number ≥ 0 and < 1"),
        (TrainingConfig, "ema", "number > 0 and < 1 or null"),
        (TrainingConfig, "devices", "whole number > 0 or `auto`"),
        (Config, "name", "text"),
        (Config, "teacher", "section or null"),
    ],
)
def test_values_are_said_in_words(
    script: ModuleType, section: type[Config], name: str, expected: str
) -> None:
    assert script.values(section.model_fields[name]) == expected


def test_catalogues_are_listed(script: ModuleType) -> None:
    assert " or ".join(f"`{name}`" for name in FEATURE_LOSSES) in script.page()
