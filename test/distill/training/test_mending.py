"""After a run is resumed its folder is whole, whatever was damaged in it before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from acdc_tree import write_acdc
from architectures import SMALL_BACKBONE

from distill.__main__ import main
from distill.checkpoints.lightning_io import BEST, LAST, PREVIOUS
from distill.checkpoints.training_cost import COST_FILE
from distill.common.torch_file import damage


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs, of which none is left."""
    folder = tmp_path_factory.mktemp("runs")
    values = {
        "name": "run",
        "out": str(folder),
        "data": {
            "root": str(write_acdc(folder / "acdc", frames=1, size=(32, 32))),
            "crop": [32, 32],
            "working_scale": 1,
            "workers": 0,
            "conditions": ["fog", "night"],
        },
        "student": {"model": "fpn_lite", "backbone": SMALL_BACKBONE, "channels": 8},
        "training": {"epochs": 2, "batch_size": 2, "accumulate": 1},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(values))
    assert main(["fit", "--config", str(folder / "run.yaml")]) == 0
    return folder / "run"


def tear(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def epoch_of(path: Path) -> int:
    epoch: int = torch.load(path, weights_only=True)["epoch"]
    return epoch


def cost_of(folder: Path) -> dict[str, Any]:
    cost: dict[str, Any] = json.loads((folder / COST_FILE).read_text())
    return cost


def resumed(finished: Path, out: Path, torn: list[str], *options: str) -> Path:
    """Resume a copy of the run, in another place, with some files torn; return its folder."""
    folder = out / "run"
    shutil.copytree(finished, folder)
    for name in torn:
        tear(folder / name)
    config = str(finished.parent / "run.yaml")
    assert main(["fit", "--config", config, "--out", str(out), "--resume", *options]) == 0
    for name in (BEST, LAST):
        assert damage(folder / name) is None, name
    assert not (folder / PREVIOUS).exists() or damage(folder / PREVIOUS) is None
    for key in ("run", "images", "epochs"):
        assert cost_of(folder)[key] == cost_of(finished)[key]
    return folder


@pytest.mark.parametrize(
    ("torn", "told"),
    [
        ([LAST], "is now a copy of"),
        ([BEST], "the weights of the best epoch are lost; it is now a copy of last.ckpt"),
        ([PREVIOUS, COST_FILE], "it is deleted, last.ckpt is whole"),
        ([LAST, PREVIOUS], "is now a copy of best.ckpt"),
    ],
)
def test_a_finished_run_is_whole_afterwards(
    finished: Path, tmp_path: Path, torn: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = resumed(finished, tmp_path, torn)
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out.splitlines()[-1] == f"best checkpoint: {folder / BEST}"
    assert epoch_of(folder / LAST) == epoch_of(finished / LAST)


def test_of_a_moved_run_the_best_score_is_remembered(finished: Path, tmp_path: Path) -> None:
    """Lightning alone would take the next epoch for the best, however bad it is."""
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    last = torch.load(folder / LAST, weights_only=True)
    (key,) = [
        key for key, state in last["callbacks"].items() if isinstance(state, dict) and state.get("monitor")
    ]
    last["callbacks"][key]["best_model_score"] = torch.tensor(0.99)
    torch.save(last, folder / LAST)
    before = (folder / BEST).read_bytes()
    config = ["--config", str(finished.parent / "run.yaml"), "--out", str(tmp_path)]
    assert main(["fit", *config, "--resume", "--training.epochs", "3"]) == 0
    assert (folder / BEST).read_bytes() == before
    assert epoch_of(folder / LAST) == 2
    # Where it was lost, the best of the epochs that follow is kept.
    tear(folder / BEST)
    assert main(["fit", *config, "--resume", "--training.epochs", "4"]) == 0
    assert epoch_of(folder / BEST) == epoch_of(folder / LAST) == 3
