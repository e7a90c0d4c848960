"""The table of data sets: every name in it can be opened, checked, and is in the docs; no other name is."""

import argparse
from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc
from data_trees import TREES, data_options, write_bdd10k, write_cityscapes, write_folder

from distill.datasets.acdc import list_acdc
from distill.datasets.bdd10k import list_bdd10k
from distill.datasets.cityscapes import list_cityscapes
from distill.datasets.frame import read_sample
from distill.datasets.options import add_data_options, open_chosen, title_of
from distill.datasets.registry import DATA_SETS, find_data_set, open_data
from kd_seg_ros.common.errors import UserError

DOCS = Path(__file__).resolve().parents[3] / "docs/training.md"


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("name", DATA_SETS)
def test_every_data_set_is_opened_by_the_options_of_a_command(name: str, split: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    parser = argparse.ArgumentParser()
    add_data_options(parser)
    args = parser.parse_args(data_options(name, tmp_path, split))
    frames = open_chosen(args).complete()
    assert frames
    assert DATA_SETS[name].title.lower() in title_of(args).lower() or not DATA_SETS[name].splits
    for frame in frames:
        assert split in str(frame.image)
        sample = read_sample(frame)
        assert sample.labels is not None
        assert set(np.unique(sample.labels)) - {255} <= set(range(frame.num_classes))


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_data_set_has_a_row_in_the_docs(name: str) -> None:
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}`")]
    assert len(rows) == 1, f"docs/training.md has no row for the data set {name}"
    for option in DATA_SETS[name].options:
        assert f"`{option}`" in rows[0]


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_lister_has_a_test(name: str) -> None:
    lister = DATA_SETS[name].lister
    module = lister.__module__
    file = Path(__file__).with_name(f"test_{module.rpartition('.')[2]}.py")
    assert file.is_file(), f"no test of {module}"
    assert module in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DATA_SETS)
def test_mean_and_std_are_those_of_rgb_values_from_0_to_1(name: str) -> None:
    data_set = DATA_SETS[name]
    assert len(data_set.mean) == len(data_set.std) == 3
    assert all(0.1 < value < 0.6 for value in (*data_set.mean, *data_set.std))


@pytest.mark.parametrize("name", ["no_such_data", "bdd100k", "ACDC", ""])
def test_an_unknown_name_is_refused_never_read_as_another_data_set(name: str, tmp_path: Path) -> None:
    for attempt in (lambda: find_data_set(name), lambda: open_data(name, root=write_bdd10k(tmp_path))):
        with pytest.raises(UserError, match=f"unknown data set '{name}': choose from acdc, citysc.*, folder"):
            attempt()


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(UserError, match="did you mean 'bdd10k'"):
        find_data_set("bdd100k")


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("kind", ["labelIds", "labelTrainIds"])
def test_acdc_is_what_its_reader_lists(tmp_path: Path, split: str, kind: str) -> None:
    write_acdc(tmp_path, label_kind=kind, image_folder="rgb_anon_trainvaltest/rgb_anon")
    listing = open_data("acdc", root=tmp_path, split=split)
    assert listing.complete() == list_acdc(tmp_path, split).complete()
    assert (listing.missing, listing.orphans) == ([], [])
    some = open_data("acdc", root=tmp_path, split=split, conditions=["snow", "fog"])
    assert some.complete() == list_acdc(tmp_path, split, ["snow", "fog"]).complete()


def test_acdc_test_split_and_conditions(tmp_path: Path) -> None:
    write_acdc(tmp_path, splits=("test",))
    assert open_data("acdc", root=tmp_path, split="test") == list_acdc(tmp_path, "test")
    for conditions in ((), ("hail",)):
        with pytest.raises(UserError, match="conditions must be some of fog, night, rain, snow"):
            open_data("acdc", root=tmp_path, conditions=conditions)


def test_the_other_data_sets_and_the_split_that_is_taken_without_one(tmp_path: Path) -> None:
    write_cityscapes(tmp_path / "c")
    write_bdd10k(tmp_path / "b")
    assert open_data("cityscapes", root=tmp_path / "c", split="val") == list_cityscapes(tmp_path / "c", "val")
    assert open_data("bdd10k", root=tmp_path / "b") == list_bdd10k(tmp_path / "b", "train")


def test_a_folder_with_and_without_labels(tmp_path: Path) -> None:
    write_folder(tmp_path, [np.full((2, 3), 4, np.uint8)], suffix="_L")
    classes = tmp_path / "classes.yaml"
    classes.write_text("classes: [sky, road]\nvalues: {4: road}\nlabel_suffix: _L\n")
    images, labels = tmp_path / "images", tmp_path / "labels"
    listing = open_data("folder", images=images, labels=labels, classes=classes)
    assert listing.class_names == ("sky", "road")
    assert listing.complete()[0].labels == labels / "sub/00_L.png"
    assert open_data("folder", images=images).complete()[0].labels is None


def test_mistakes_name_the_option(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --root"):
        open_data("cityscapes")
    with pytest.raises(UserError, match="give --images"):
        open_data("folder")
    with pytest.raises(UserError, match="--labels and --classes go together"):
        open_data("folder", images=tmp_path, labels=tmp_path)
    with pytest.raises(UserError, match="no --root and no --split"):
        open_data("folder", images=tmp_path, split="val")
    with pytest.raises(UserError, match="--images belongs to data set 'folder', not 'bdd10k'"):
        open_data("bdd10k", root=tmp_path, images=tmp_path)
    with pytest.raises(UserError, match="--conditions belongs to data set 'acdc', not 'bdd10k'"):
        open_data("bdd10k", root=tmp_path, conditions=["fog"])
