"""Loggers by name, and the line about one whose package is missing."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from distill.config import Config, parse_config
from distill.report.curves import read_curve
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


def test_the_lines_before_a_resumption_are_kept(tmp_path: Path) -> None:
    """Also after a process was killed while it wrote, and with a column that is new."""
    path = tmp_path / "x" / "csv" / "metrics.csv"
    for epoch, more in enumerate(({}, {}, {"new": 1.0})):
        logger = make_logger(config(tmp_path, "csv"))
        logger.log_metrics({"epoch": epoch, "val/miou": epoch / 10, **more}, step=10 * epoch)
        logger.save()
        if epoch == 0:
            path.write_bytes(path.read_bytes() + b"7,0.")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"], row["val/miou"]) for row in (rows[0], *rows[2:])] == [
        ("0", "0", "0.0"),
        ("1", "10", "0.1"),
        ("2", "20", "0.2"),
    ]
    assert rows[-1]["new"] == "1.0"
    assert read_curve(tmp_path / "x") == [(1, 0.0), (2, 0.1), (3, 0.2)]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in (name, f"{name}_skinny"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"training.logger {name} .*: pip install {name}"):
        make_logger(config(tmp_path, name))
