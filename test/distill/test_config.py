from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.config import load_config
from kd_seg_ros.errors import UserError

EXPERIMENTS = sorted((Path(__file__).parents[2] / "config" / "distill").glob("*.yaml"))
SMALLEST: dict[str, Any] = {"name": "x", "data": {"root": "there"}, "student": {"backbone": "resnet18"}}


def write(path: Path, values: Any) -> Path:
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def test_defaults_are_those_of_table_4_5(tmp_path: Path) -> None:
    config = load_config(write(tmp_path / "c.yaml", SMALLEST))
    training, data = config.training, config.data
    assert (training.batch_size, training.accumulate, training.epochs) == (8, 2, 250)
    assert (training.learning_rate, training.betas, training.weight_decay) == (4e-4, (0.9, 0.99), 1e-4)
    assert (data.scale, data.crop, data.working_scale) == ((0.5, 2.0), (1080, 1080), 0.8)
    assert config.run_folder == Path("runs/x")


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_shipped_experiments_are_valid(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_there_are_shipped_experiments() -> None:
    assert EXPERIMENTS


def test_base_holds_what_the_file_does_not_say(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", SMALLEST | {"training": {"epochs": 7, "batch_size": 3}})
    path = write(tmp_path / "c.yaml", {"base": "base.yaml", "name": "y", "training": {"epochs": 9}})
    config = load_config(path, {"training.learning_rate": 0.5})
    assert (config.name, config.training.epochs, config.training.batch_size) == ("y", 9, 3)
    assert config.training.learning_rate == 0.5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seeed": 1}, "unknown key 'seeed'; did you mean 'seed'"),
        ({"data": {"root": "r", "workerz": 1}}, r"unknown key 'data\.workerz'; did you mean 'workers'"),
        ({"training": {"epoch": 1}}, "did you mean 'epochs'"),
        ({"teacher": {"checkpoint": "c"}}, "no term of the objective uses it"),
        ({"objective": {"logits": "kl"}}, r"give teacher\.checkpoint"),
        ({"objective": {"features": [{"loss": "cwd", "map": ["P4"]}]}}, "did you mean 'maps'"),
        ({"objective": {"features": [{"loss": "cwdd"}]}}, r"objective\.features\.0\.loss"),
        ({"training": {"epochs": 2, "validate_every": 3}}, "validate_every must not exceed epochs"),
        ({"student": {"model": "pidnet_xl"}}, "unknown model 'pidnet_xl'; near it: pidnet_"),
        ({"student": {"model": "swiftnet"}}, "model 'swiftnet' needs a backbone"),
        ({"student": {"model": "pidnet_s", "backbone": "resnet18"}}, "has its own backbone"),
        (
            {"student": {"model": "sfnet_resnet18"}, "training": {"batch_size": 1}},
            "sfnet_resnet18 needs a training.batch_size of at least 2",
        ),
        ({"training": {"epochs": 0}}, r"training\.epochs"),
        ({"training": {"learning_rate": "fast"}}, r"training\.learning_rate"),
        ({"data": {"root": "r", "scale": [2, 1]}}, "smallest, largest"),
        ({"data": {"root": "r", "conditions": ["hail"]}}, r"data\.conditions"),
    ],
)
def test_faults_are_named_in_one_line(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "c.yaml", SMALLEST | values)
    with pytest.raises(UserError, match=message) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a list", "a: [", "\x00"])
def test_files_that_are_no_mapping_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"c\.yaml"):
        load_config(write(tmp_path / "c.yaml", text))


def test_missing_files_and_circles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")
    write(tmp_path / "a.yaml", {"base": "b.yaml"})
    write(tmp_path / "b.yaml", {"base": "a.yaml"})
    with pytest.raises(UserError, match="circle"):
        load_config(tmp_path / "a.yaml")


def test_digest_follows_the_content(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", SMALLEST)
    assert load_config(path).digest() == load_config(path).digest()
    assert load_config(path).digest() != load_config(path, {"seed": 1}).digest()
