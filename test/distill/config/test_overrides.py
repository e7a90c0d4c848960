"""Keys of the configuration on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.config import load_config
from distill.config.keys import known_keys, section_in, type_of
from distill.config.overrides import parse_overrides
from kd_seg_ros.common.errors import UserError

SMALLEST: dict[str, Any] = {"name": "x", "data": {"root": "there"}, "student": {"backbone": "resnet18"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(SMALLEST))
    return path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--data.crop 192,200", [192, 200]),
        ("--data.crop 192, 200", [192, 200]),
        ("--data.crop [192, 200]", [192, 200]),
        ("--data.crop=192,200", [192, 200]),
        ("--data.mean 0.1,2e-1,.3", [0.1, 0.2, 0.3]),
        ("--data.images {split}/images", "{split}/images"),
        ("--data.images a: b #c", "a: b #c"),
        ("--data.labels null", None),
        ("--data.labels none", None),
        ("--data.conditions fog", ["fog"]),
        ("--data.conditions fog,night", ["fog", "night"]),
        ("--data.classes classes.yaml", "classes.yaml"),
        ("--data.classes {values: {0: road}}", {"values": {0: "road"}}),
        ("--data.flip false", False),
        ("--data.flip off", False),
        ("--data.description true", "true"),
        ("--data.extra {root: a}", [{"root": "a"}]),
        ("--data.extra [{root: a}, {root: b}]", [{"root": "a"}, {"root": "b"}]),
        ("--name 007", "007"),
        ("--name null", "null"),
        ("--name a=b", "a=b"),
        ("--name -1", "-1"),
        ("--seed 12", 12),
        ("--training.learning_rate 4e-4", 4e-4),
        ("--training.learning_rate 1", 1.0),
        ("--training.ema null", None),
        ("--training.devices auto", "auto"),
        ("--training.devices 2", 2),
        ("--student.pretrained true", True),
        ("--student.pretrained False", False),
        ("--student.pretrained weights/a.pth", "weights/a.pth"),
        ("--student.backbone null", None),
        ("--teacher none", None),
        ("--teacher {onnx: a.onnx}", {"onnx": "a.onnx"}),
        ("--teacher.class_names road,sky", ["road", "sky"]),
        ("--teacher.classes.bus null", None),
        ("--objective.logits none", "none"),
        ("--objective.adversarial true", True),
        ("--objective.features [{loss: cwd, maps: {a: b}}]", [{"loss": "cwd", "maps": {"a": "b"}}]),
        ("--objective.features.0.maps {detail: P8}", {"detail": "P8"}),
        ("--objective.features.0.maps P4,P8", ["P4", "P8"]),
        ("--objective.features.0.weight 2", 2.0),
    ],
)
def test_a_value_is_read_by_the_type_of_its_key(words: str, expected: Any) -> None:
    arguments = words.split(" ", 1) if "=" not in words.split(" ")[0] else [words]
    (value,) = parse_overrides(arguments).values()
    assert value == expected
    assert type(value) is type(expected)


def test_the_last_of_several_values_counts_and_order_is_kept() -> None:
    words = ["--seed", "1", "--name=a", "--seed=2"]
    assert parse_overrides(words) == {"seed": 2, "name": "a"}
    assert parse_overrides([]) == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stray"], "unexpected argument 'stray'"),
        (["--seed"], "option --seed needs a value"),
        (["--seed", "--name", "a"], "option --seed needs a value"),
        (
            ["--trainin.epochs", "1"],
            r"--trainin\.epochs: unknown key 'trainin'; did you mean --training\.epochs\?",
        ),
        (["--training.epoch", "1"], r"--training\.epoch: .* did you mean --training\.epochs\?"),
        (["--huggingface", "a"], r"unknown key 'huggingface'; did you mean --teacher\.huggingface\?"),
        (["--objective.features.0.weigt", "1"], r"did you mean --objective\.features\.0\.weight\?"),
        (["--training.epochs.x", "1"], r"unknown key 'training\.epochs\.x'"),
        (["--zzz", "1"], r"--zzz: unknown key 'zzz'$"),
        (["--data.crop", "192"], r"--data\.crop: 2 values with commas between them are needed, not '192'"),
        (["--data.crop", "[192"], r"--data\.crop: '\[192' is not YAML"),
        (["--teacher", "best.ckpt"], r"--teacher: 'best\.ckpt' is no section: write \{key: value\}"),
    ],
)
def test_mistakes_are_refused_at_once(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_overrides(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--training.epochs", "0"], r"^--training\.epochs: input should be greater than 0 \(it is 0\)"),
        (["--training.epochs", "many"], r"^--training\.epochs: .*\(it is 'many'\)"),
        (["--student.model", "pidnet_x"], r"^--student\.model: unknown model 'pidnet_x'"),
        (["--data.crop", "1,x"], r"^--data\.crop: 'data\.crop\.1': .*\(it is 'x'\)"),
        (
            ["--objective.features", "[{loss: cwdd}]"],
            r"^--objective\.features: 'objective\.features\.0\.loss'",
        ),
        (
            ["--objective.features", "[{los: cwd}]"],
            r"^--objective\.features: unknown key 'objective\.features\.0",
        ),
        (["--seed", "1", "--training.validate_every", "900"], r"^--training\.validate_every: 'training': "),
        (["--objective.logits", "kl"], r"^--objective\.logits: the objective compares with a teacher"),
        (["--teacher", "{onnx: a, hf: b}"], r"^--teacher: unknown key 'teacher\.hf'"),
        (["--teacher.mean", "1,1,1"], r"^--teacher\.mean: 'teacher': give exactly one of checkpoint"),
        (
            ["--data.scale", "2,1", "--data.workers", "0"],
            r"^--data\.scale: 'data': scale must be \[smallest, largest\]",
        ),
        (["--objective.features.0.loss", "l2"], "'objective.features': input should be a list"),
    ],
)
def test_mistakes_on_the_command_line_are_blamed_on_it(file: Path, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        load_config(file, parse_overrides(words))
    assert "\n" not in str(error.value)


def test_two_options_that_do_not_go_together_are_both_named(file: Path) -> None:
    words = ["--training.validate_every", "2", "--training.epochs", "1"]
    assert load_config(file, parse_overrides(words[:2])).training.validate_every == 2
    with pytest.raises(UserError, match=r"^--training\.validate_every: "):
        load_config(file, parse_overrides(words))


def test_what_is_wrong_in_the_file_is_not_blamed_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(SMALLEST | {"training": {"epochs": 1, "validate_every": 2}}))
    with pytest.raises(UserError, match=r"^.*c\.yaml:\d+: 'training': validate_every"):
        load_config(path, {"seed": 3, "training.patience": 4})
    path.write_text(yaml.safe_dump({"name": "x", "student": SMALLEST["student"]}))
    with pytest.raises(UserError, match=r"^.*c\.yaml: 'data\.root' is missing"):
        load_config(path, {"data.workers": 3})


def test_an_entry_of_a_list_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    values = SMALLEST | {"teacher": {"checkpoint": "t"}, "objective": {"features": [{"loss": "cwd"}]}}
    path.write_text(yaml.safe_dump(values))
    words = ["--objective.features.0.weight", "2.5", "--objective.features.0.maps", "P4,P8"]
    (term,) = load_config(path, parse_overrides(words)).objective.features
    assert (term.loss, term.weight, term.maps) == ("cwd", 2.5, ("P4", "P8"))


def test_a_section_can_be_begun_replaced_and_emptied(file: Path) -> None:
    words = ["--teacher.onnx", "t.onnx", "--teacher.mean", "1,1,1", "--objective.logits", "kl"]
    teacher = load_config(file, parse_overrides(words)).teacher
    assert teacher is not None
    assert (teacher.onnx, teacher.mean) == ("t.onnx", (1, 1, 1))
    replaced = load_config(file, parse_overrides([*words, "--teacher", "{checkpoint: a.ckpt}"])).teacher
    assert replaced is not None
    assert (replaced.checkpoint, replaced.mean) == ("a.ckpt", None)
    assert load_config(file, parse_overrides([*words[:4], "--teacher", "none"])).teacher is None


def test_the_values_given_stay_as_they_are(file: Path) -> None:
    overrides = {"teacher": {"checkpoint": "a"}, "teacher.cache": "b", "objective.logits": "kl"}
    assert load_config(file, overrides).teacher is not None
    assert overrides["teacher"] == {"checkpoint": "a"}


def test_every_key_has_a_type() -> None:
    keys = list(known_keys())
    assert len(keys) == len(set(keys)) > 60
    for key in keys:
        type_of(key.replace("extra.", "extra.0.").replace("features.", "features.0."))
    assert section_in(type_of("data.extra")) is section_in(type_of("data.extra.3"))
