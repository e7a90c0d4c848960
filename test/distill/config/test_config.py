from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.config import (
    FeatureLossConfig,
    ObjectiveConfig,
    TrainingConfig,
    load_config,
    parse_config,
)
from distill.config.objective import AdapterConfig, AdversarialConfig
from distill.data.transforms import TrainTransform
from kd_seg_ros.common.errors import UserError

EXPERIMENTS = sorted((Path(__file__).parents[3] / "config" / "distill").glob("*.yaml"))
SMALLEST: dict[str, Any] = {"name": "x", "data": {"root": "there"}, "student": {"backbone": "resnet18"}}


def features(**values: Any) -> dict[str, Any]:
    return {"objective": {"features": [values]}}


def objective(**values: Any) -> ObjectiveConfig:
    return ObjectiveConfig.model_validate(values)


def write(path: Path, values: Any) -> Path:
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def test_an_optimiser_and_a_schedule_have_their_usual_numbers() -> None:
    training = TrainingConfig(optimiser="sgd", schedule="polynomial")
    assert (training.momentum, training.power, training.last_epoch) == (0.9, 0.9, 250)
    assert TrainingConfig(stop_after=50).last_epoch == 50
    # What a checkpoint holds can be read again.
    assert TrainingConfig.model_validate(training.model_dump(mode="json")) == training


def test_defaults_are_those_of_table_4_5(tmp_path: Path) -> None:
    config = load_config(write(tmp_path / "c.yaml", SMALLEST))
    training, data = config.training, config.data
    assert (training.batch_size, training.accumulate, training.epochs) == (8, 2, 250)
    assert (training.learning_rate, training.betas, training.weight_decay) == (4e-4, (0.9, 0.99), 1e-4)
    assert (data.scale, data.crop, data.working_scale) == ((0.5, 2.0), (1080, 1080), 0.8)
    assert config.run_folder == Path("runs/x")


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
        (
            features(loss="cwdd"),
            r"features\.0\.loss': unknown feature loss 'cwdd'; did you mean 'cwd'",
        ),
        (
            {"objective": {"logits": "kl_boarder"}},
            r"logits': unknown loss on the logits 'kl_boarder'; choose from none, kl, kl_border$",
        ),
        (
            {"objective": {"semantic": "dice"}},
            "choose from cross_entropy, border_focal, border_focal_published, ohem, pidnet",
        ),
        ({"objective": {"semantic": "ohem", "ohem_threshold": 1.5}}, r"ohem_threshold.*less than or equal"),
        ({"training": {"epochs": 9, "stop_after": 10}}, "stop_after must not exceed epochs"),
        (
            {"training": {"stop_after": 2, "validate_every": 3}},
            "validate_every must not exceed stop_after",
        ),
        ({"training": {"momentum": 0.9}}, "momentum belongs to optimiser sgd: adam has betas"),
        ({"training": {"optimiser": "sgd", "betas": [0.9, 0.999]}}, "betas belong to optimisers adam and"),
        ({"training": {"power": 0.9}}, "power belongs to schedule polynomial, not cosine"),
        ({"training": {"optimiser": "rmsprop"}}, r"training\.optimiser.*'adam', 'adamw' or 'sgd'"),
        (
            features(loss="l2", temperature=2.0),
            "l2 has no temperature; cwd, cross_image and memory_bank have one",
        ),
        (features(loss="cwd", maps=[]), r"features\.0\.maps': give at least one map"),
        (features(loss="cwd", maps="P4"), "give a list of map names, or a mapping of the student's names"),
        (features(loss="cwd", maps={"P4": 8}), "give a list of map names"),
        (features(loss="cwd", adapters={"projector": 2}), "did you mean 'projectors'"),
        (features(loss="cwd", weight=0), r"objective\.features\.0\.weight.*greater than 0"),
        (
            {"objective": {"curriculum_temperature": True}},
            "curriculum_temperature needs a KL term: set logits to kl or kl_border",
        ),
        (
            {"objective": {"logits": "kl", "curriculum_temperature": True, "logits_temperature": 2}},
            "logits_temperature is learnt",
        ),
        ({"objective": {"adversarial": True}}, r"give teacher\.checkpoint"),
        (
            {
                "teacher": {"checkpoint": "c"},
                "objective": {"adversarial": True},
                "data": {"root": "r", "crop": [159, 400]},
            },
            r"images of 128 pixels or more a side, not 127×320: raise data\.crop",
        ),
        ({"training": {"epochs": 2, "validate_every": 3}}, "validate_every must not exceed epochs"),
        ({"student": {"model": "pidnet_xl"}}, "unknown model 'pidnet_xl'; did you mean 'pidnet_"),
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


@pytest.mark.parametrize(
    ("loss", "weight", "temperature"),
    [
        ("l2", 1, None),
        ("cwd", 50, 4),
        ("attention_transfer", 1000, None),
        ("self_similarity", 10, None),
        ("cross_image", 1, 0.1),
        ("intra_class", 200, None),
    ],
)
def test_a_loss_has_its_own_weight_and_temperature(
    loss: str, weight: float, temperature: float | None
) -> None:
    for values in ({}, {"weight": None, "temperature": None}):
        term = FeatureLossConfig.model_validate({"loss": loss, **values})
        assert (term.weight, term.temperature) == (weight, temperature)
    assert FeatureLossConfig.model_validate({"loss": loss, "weight": 7}).weight == 7


@pytest.mark.parametrize(
    ("maps", "weight"),
    [
        (["logits"], 3),
        ({"logits": "logits"}, 3),
        (["logits", "P4"], 50),
        ({"P4": "logits"}, 50),
        (["pre_logits"], 50),
        (None, 50),
    ],
)
def test_cwd_has_its_authors_weight_on_features_and_another_on_logits(maps: Any, weight: float) -> None:
    values = {"loss": "cwd"} if maps is None else {"loss": "cwd", "maps": maps}
    assert FeatureLossConfig.model_validate(values).weight == weight
    assert FeatureLossConfig.model_validate({**values, "weight": 7}).weight == 7


def test_parameters_belong_to_their_losses() -> None:
    term = FeatureLossConfig.model_validate({"loss": "smooth_l1"})
    assert (term.parameters, term.beta) == ({"beta": 2.0}, 2.0)
    assert FeatureLossConfig.model_validate({"loss": "huber", "beta": 3}).parameters == {"beta": 3}
    assert FeatureLossConfig.model_validate({"loss": "l2"}).parameters == {}
    with pytest.raises(ValueError, match="l2 has no power; attention_transfer and attention_transfer_max"):
        FeatureLossConfig.model_validate({"loss": "l2", "power": 2})
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        FeatureLossConfig.model_validate({"loss": "attention_transfer", "power": 0.5})


def test_maps_are_a_list_or_a_mapping() -> None:
    assert FeatureLossConfig.model_validate({"loss": "l2", "maps": ["P4", "P8"]}).pairs == (
        ("P4", "P4"),
        ("P8", "P8"),
    )
    renamed = FeatureLossConfig.model_validate({"loss": "l2", "maps": {"detail": "P8", "context": "P64"}})
    assert renamed.pairs == (("detail", "P8"), ("context", "P64"))


def test_true_stands_for_a_section_of_defaults() -> None:
    term: dict[str, Any] = {"loss": "l2"}
    for given, adapters in ((True, AdapterConfig()), ({"projectors": 3}, AdapterConfig(projectors=3))):
        assert objective(features=[{**term, "adapters": given}]).features[0].adapters == adapters
    for nothing in (False, None):
        assert objective(features=[{**term, "adapters": nothing}]).features[0].adapters is None
        assert objective(adversarial=nothing).adversarial is None
    assert objective(adversarial=True).adversarial == AdversarialConfig(weight=1e-3, learning_rate=4e-4)


def test_the_size_of_training_is_that_of_its_crops() -> None:
    for path in EXPERIMENTS[:3]:
        config = load_config(path, {"data.crop": [1081, 333]})
        data = config.data
        assert config.train_size == TrainTransform(crop=data.crop, working_scale=data.working_scale).size


DOCS = Path(__file__).parents[3] / "docs"
BLOCKS = [
    (name, block)
    for name in ("training.md", "losses.md")
    for block in re.findall(r"```yaml\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_configurations_in_the_documents_are_valid(name: str, block: str) -> None:
    values = SMALLEST | {"teacher": {"checkpoint": "t.ckpt"}, "objective": {"logits": "kl"}}
    parse_config(values | yaml.safe_load(block), name)


@pytest.mark.parametrize("values", [None, 1.5, "x", ["data"], [("data", 1)], b"", True])
def test_what_is_no_mapping_is_no_configuration(values: object) -> None:
    with pytest.raises(UserError, match=r"^a file: the configuration is no mapping of sections"):
        parse_config(values, "a file")
