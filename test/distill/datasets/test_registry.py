"""The choice of a data set by name."""

from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc
from data_trees import write_bdd10k, write_cityscapes, write_folder

from distill.datasets.acdc import list_acdc
from distill.datasets.bdd10k import list_bdd10k
from distill.datasets.cityscapes import list_cityscapes
from distill.datasets.registry import open_data
from kd_seg_ros.common.errors import UserError


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


def test_the_other_data_sets(tmp_path: Path) -> None:
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
    with pytest.raises(
        UserError, match="unknown data set 'kitti': choose from acdc, cityscapes, bdd10k, folder"
    ):
        open_data("kitti")
    with pytest.raises(UserError, match="give --root"):
        open_data("cityscapes")
    with pytest.raises(UserError, match="give --images"):
        open_data("folder")
    with pytest.raises(UserError, match="--labels and --classes go together"):
        open_data("folder", images=tmp_path, labels=tmp_path)
    with pytest.raises(UserError, match="no --root and no --split"):
        open_data("folder", images=tmp_path, split="val")
    with pytest.raises(UserError, match="takes --root; --images, --labels, --classes are for 'folder'"):
        open_data("bdd10k", root=tmp_path, images=tmp_path)
