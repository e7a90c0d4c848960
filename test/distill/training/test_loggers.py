"""Loggers by name, and the line about one whose package is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from distill.config import Config, parse_config
from distill.training.loggers import make_logger
from kd_seg_ros.common.errors import UserError


def config(folder: Path, logger: str) -> Config:
    values = {
        "name": "x",
        "out": str(folder),
        "data": {"root": "."},
        "student": {"model": "pidnet_s"},
        "training": {"logger": logger},
    }
    return parse_config(values, "here")


@pytest.mark.parametrize(("name", "kind"), [("tensorboard", TensorBoardLogger), ("csv", CSVLogger)])
def test_each_writes_into_a_folder_of_its_name(name: str, kind: type, tmp_path: Path) -> None:
    logger = make_logger(config(tmp_path, name))
    assert isinstance(logger, kind)
    assert Path(str(logger.log_dir)) == tmp_path / "x" / name


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in (name, f"{name}_skinny"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"training.logger {name} .*: pip install {name}"):
        make_logger(config(tmp_path, name))
