"""Data sets in the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.config import DataConfig, load_config, parse_config
from distill.datasets.acdc import ACDC_MEAN
from distill.datasets.cityscapes import CITYSCAPES_MEAN, CITYSCAPES_STD
from distill.datasets.registry import DATA_SETS
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

CLASSES = {"classes": ["sky", "road"], "values": {0: "sky", 1: "road", 7: None}}
FOLDER = {"dataset": "folder", "root": "camvid", "classes": CLASSES}


OTHER_VALUES: dict[str, Any] = {"conditions": ["fog"], "images": "x", "classes": CLASSES, "topic": "/t"}
"""For each option of a data set, a value that is not its default."""


def config(data: dict[str, Any]) -> DataConfig:
    values = {"name": "x", "data": data, "student": {"backbone": "resnet18"}}
    # Images without labels are refused where there is no teacher.
    values |= {"objective": {"logits": "kl"}, "teacher": {"checkpoint": "t.ckpt"}}
    return parse_config(values, "here").data


def test_each_data_set_has_its_own_mean_and_std() -> None:
    data = config({"root": "a", "extra": [{"dataset": "cityscapes", "root": "c", "std": [0.1, 0.2, 0.3]}]})
    assert data.mean == ACDC_MEAN
    assert data.extra[0].mean == CITYSCAPES_MEAN
    assert data.extra[0].std == (0.1, 0.2, 0.3) != CITYSCAPES_STD
    assert [source.root for source in data.sources] == ["a", "c"]
    assert config({"dataset": "folder", "root": "f", "classes": CLASSES}).mean == (0.485, 0.456, 0.406)


def test_images_without_labels_are_normalised_as_the_first_data_set() -> None:
    """The network is deployed for the first data set's camera; ImageNet's statistics would be of neither."""
    drive = {"dataset": "folder", "root": "d", "labels": None}
    bag = {**drive, "images": ".", "topic": "/camera/image_raw"}
    data = config({"root": "a", "extra": [drive, bag, {**drive, "mean": [0.1, 0.2, 0.3]}]})
    assert [source.mean for source in data.extra] == [ACDC_MEAN, ACDC_MEAN, (0.1, 0.2, 0.3)]
    assert {source.std for source in data.extra} == {data.std}
    own = {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    assert config({"root": "a", **own, "extra": [drive]}).extra[0].std == (0.2, 0.2, 0.2)


def test_other_images_of_the_first_data_set_are_normalised_as_it_is() -> None:
    """Its own statistics may have been measured; a labelled set of another kind keeps those of its kind."""
    own = {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    references = {"root": "a", "conditions": ["normal"], "unlabelled": "keep"}
    test = {"root": "elsewhere", "dataset": "cityscapes", "split": "test"}
    labelled = {"root": "elsewhere", "dataset": "cityscapes"}
    data = config({"root": "a", **own, "extra": [references, test, labelled]})
    assert [source.std for source in data.extra] == [(0.2,) * 3, (0.2,) * 3, CITYSCAPES_STD]


def test_which_images_have_labels() -> None:
    data = config({"root": "a", "extra": [{"root": "a", "split": "test"}, {"root": "a", "split": "val"}]})
    assert [source.labelled for source in data.sources] == [True, False, True]
    with pytest.raises(UserError, match="split belongs to the entries of extra"):
        config({"root": "a", "split": "val"})
    with pytest.raises(UserError, match="images of a topic have no labels: set labels to null"):
        config({"root": "a", "extra": [FOLDER | {"topic": "/image"}]})


def test_images_without_labels_need_a_teacher() -> None:
    data = {"root": "a", "extra": [{"root": "a", "split": "test"}]}
    values = {"name": "x", "data": data, "student": {"backbone": "resnet18"}}
    with pytest.raises(UserError, match="no labels, and no term of the objective learns from a teacher"):
        parse_config(values, "here")
    values |= {"objective": {"logits": "kl"}, "teacher": {"checkpoint": "t.ckpt"}}
    assert not parse_config(values, "here").data.extra[0].labelled


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_registered_data_set_can_be_configured(name: str) -> None:
    values: dict[str, Any] = {"dataset": name, "root": "r"}
    if "classes" in DATA_SETS[name].options:
        values["classes"] = CLASSES
    data = config(values)
    assert (data.mean, data.std) == (DATA_SETS[name].mean, DATA_SETS[name].std)
    assert set(data.options) == set(DATA_SETS[name].options)
    owned = {key for data_set in DATA_SETS.values() for key in data_set.options}
    for key in owned - set(DATA_SETS[name].options):
        with pytest.raises(UserError, match=f"{key} belongs to data set"):
            config(values | {key: None if key == "labels" else OTHER_VALUES[key]})


def test_a_folder_brings_its_own_classes() -> None:
    assert config({"root": "acdc"}).class_names == CLASS_NAMES
    assert config(FOLDER).class_names == ("sky", "road")


def test_what_a_checkpoint_holds_is_read_back_the_same() -> None:
    """JSON turns the numbers of a class map into text."""
    for values in (
        {"root": "acdc"},
        FOLDER | {"extra": [{"dataset": "folder", "root": "u", "labels": None}]},
    ):
        data = config(values)
        again = config(json.loads(json.dumps(data.model_dump(mode="json"))))
        assert again.class_map == data.class_map
        assert again.sources[-1].labelled == data.sources[-1].labelled


def test_a_class_map_may_stand_in_a_file_and_is_then_part_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump(CLASSES))
    data = FOLDER | {"classes": str(tmp_path / "classes.yaml")}
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "data": data, "student": {"backbone": "resnet18"}}))
    loaded = load_config(path)
    (tmp_path / "classes.yaml").unlink()
    assert loaded.data.classes == CLASSES
    assert loaded.data.class_names == ("sky", "road")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"'data\.root' is missing"),
        ({"root": "r", "dataset": "no_such_data"}, r"data\.dataset.*choose from acdc, .*folder"),
        ({"root": "r", "dataset": "bdd100k"}, "unknown data set 'bdd100k'; choose from acdc, .*bdd10k"),
        ({"root": "r", "conditions": ["hail"]}, r"data\.conditions.*choose from fog, night, rain, snow"),
        ({"root": "r", "images": "x"}, "images belongs to data set 'folder', not 'acdc'"),
        ({"dataset": "bdd10k", "root": "r", "conditions": ["fog"]}, "conditions belongs to data set 'acdc'"),
        ({"dataset": "folder", "root": "r"}, "labels and classes go together"),
        (FOLDER | {"labels": None}, "labels and classes go together"),
        ({"dataset": "folder", "root": "r", "labels": None}, "put this one into extra"),
        (FOLDER | {"classes": "nowhere.yaml"}, "class map nowhere.yaml"),
        (FOLDER | {"classes": {"values": {0: "roda"}}}, "did you mean 'road'"),
        (FOLDER | {"extra": [{"root": "a"}]}, "a has other classes than camvid"),
        ({"root": "a", "extra": [{"rot": "a"}]}, r"unknown key 'data\.extra\.0\.rot'; did you mean 'root'"),
        ({"root": "a", "limit": 0}, r"data\.limit.*greater than 0"),
        (
            {"root": "a", "mean": [123.675, 116.28, 103.53]},
            r"data\.mean.*divide that of colours in 0…255 by 255",
        ),
        ({"root": "a", "std": [58.4, 57.1, 57.4]}, r"data\.std.*divide that of colours in 0…255 by 255"),
        ({"root": "a", "std": [0.2, 0, 0.2]}, r"data\.std.*must be above 0"),
        ({"root": "a", "mean": [0.2, -2, 0.2]}, r"data\.mean.*-1 or more"),
        ({"root": "a", "mean": [0.2, float("nan"), 0.2]}, r"data\.mean.*finite"),
        ({"root": "a", "scale": [1, float("inf")]}, r"data\.scale.*finite"),
        ({"root": "a", "conditions": ["fog", "fog"]}, r"data\.conditions.*each weather once"),
        ({"root": "a", "conditions": []}, r"data\.conditions.*each weather once"),
        ({"root": "a", "workers": 100000}, r"data\.workers.*less than or equal to 256"),
        ({"root": "a", "unlabelled": "ignore"}, r"data\.unlabelled"),
        (FOLDER | {"classes": {"classes": ["road"], "values": {0: "road"}}}, "2 to 254 different names"),
        ({"root": "a", "extra": [{"root": "b", "weight": 0}]}, r"data\.extra\.0\.weight"),
    ],
)
def test_mistakes_are_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        config(data)


def test_a_section_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: a\ntraining:\n  epochs: 3\ndata: {root: r}\ntraining:\n  epochs: 1\n")
    with pytest.raises(UserError, match=r"a\.yaml: 'training' stands twice, on lines 2 and 5"):
        load_config(path)
