"""Configurations of a study that trains in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

BASE: Final[Mapping[str, Any]] = {
    "data": {"crop": [64, 64], "working_scale": 1, "draws": 4, "limit": 2, "workers": 0},
    "student": {"backbone": "test_resnet", "channels": 8},
    "training": {"epochs": 1, "batch_size": 2, "accumulate": 1, "gradient_shares": None},
}


def write_arm(folder: Path, name: str, epochs: int = 1) -> str:
    """Write the configuration of an arm into a folder; return its path."""
    path = folder / f"{name}.yaml"
    training = {**BASE["training"], "epochs": epochs}
    path.write_text(yaml.safe_dump({**BASE, "name": name, "training": training}))
    return str(path)
