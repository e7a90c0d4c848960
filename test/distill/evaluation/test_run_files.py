"""The files of an evaluation belong together, wherever writing was interrupted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from evaluated import write_run

from distill.evaluation.evaluated_run import read_run
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256


def test_metrics_json_holds_the_digests_of_its_tables(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    files = json.loads((folder / "best.metrics.json").read_text())["files"]
    assert files == {name: sha256(folder / f"best.{name}") for name in ("images.npz", "per_class.csv")}


def test_tables_of_another_model_are_never_taken_for_those_of_this_one(tmp_path: Path) -> None:
    old, new = write_run(tmp_path / "old", seed=1), write_run(tmp_path / "new", seed=2)
    shutil.copy(new / "best.images.npz", old)  # killed before the new metrics.json was written
    with pytest.raises(UserError, match=r"images\.npz belongs to another evaluation than best\.metrics"):
        read_run(old)


def test_without_digests_the_sums_are_compared(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "old", seed=1)
    path = folder / "best.metrics.json"
    document = json.loads(path.read_text())
    del document["files"]
    path.write_text(json.dumps(document))
    assert len(read_run(folder).images) == 8
    shutil.copy(write_run(tmp_path / "new", seed=2) / "best.images.npz", folder)
    with pytest.raises(UserError, match="belongs to another evaluation"):
        read_run(folder)


def test_metrics_json_is_written_last(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert max(written, key=written.__getitem__) == "best.metrics.json"
