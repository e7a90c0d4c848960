"""The Cityscapes reader."""

from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_png
from data_trees import write_cityscapes

from distill.datasets.cityscapes import list_cityscapes
from distill.datasets.frame import read_sample
from kd_seg_ros.common.errors import UserError

# The published table (labels.py of cityscapesScripts): ids of trainIds 0…18.
IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]


@pytest.mark.parametrize("image_folder", ["leftImg8bit", "leftImg8bit_trainvaltest/leftImg8bit"])
@pytest.mark.parametrize("label_folder", ["gtFine", "gtFine_trainvaltest/gtFine"])
def test_frames_by_city_with_their_labels(tmp_path: Path, image_folder: str, label_folder: str) -> None:
    write_cityscapes(tmp_path, image_folder=image_folder, label_folder=label_folder)
    frames = list_cityscapes(tmp_path, "train").complete()
    assert [frame.image.name for frame in frames] == [
        f"{city}_{number:06d}_000019_leftImg8bit.png" for city in ("aachen", "ulm") for number in range(2)
    ]
    for frame in frames:
        city = frame.image.parent.name
        name = frame.image.name.replace("leftImg8bit", "gtFine_labelIds")
        assert frame.labels == tmp_path / label_folder / "train" / city / name
        assert frame.condition == "normal"


def test_label_ids_become_train_ids(tmp_path: Path) -> None:
    write_cityscapes(tmp_path, cities=("ulm",), frames=1, size=(5, 7))
    ids = np.zeros((5, 7), np.uint8)
    ids.flat[:34] = range(34)
    ids.flat[34] = 255  # the license plate's id is -1
    frame = list_cityscapes(tmp_path, "train").complete()[0]
    assert frame.labels is not None
    write_png(frame.labels, ids)
    expected = [IDS.index(i) if i in IDS else 255 for i in ids.ravel().tolist()]
    labels = read_sample(frame).labels
    assert labels is not None
    assert labels.ravel().tolist() == expected


def test_train_ids_are_preferred(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    write_cityscapes(tmp_path, kind="labelTrainIds", cities=("ulm",))
    for frame in list_cityscapes(tmp_path, "val").complete():
        assert frame.labels is not None
        train_ids = frame.image.parent.name == "ulm"
        assert frame.labels.name.endswith("_labelTrainIds.png" if train_ids else "_labelIds.png")
        labels = read_sample(frame).labels
        assert labels is not None
        assert set(np.unique(labels).tolist()) == {0, 10, 13, 255}
    assert list_cityscapes(tmp_path, "val").orphans == []


def test_the_test_split_has_no_labels_even_where_files_lie(tmp_path: Path) -> None:
    write_cityscapes(tmp_path, splits=("test",))
    (tmp_path / "gtFine/test").mkdir(parents=True)
    frames = list_cityscapes(tmp_path, "test").complete()
    assert len(frames) == 4
    assert read_sample(frames[0]).labels is None


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere does not exist"):
        list_cityscapes(tmp_path / "nowhere", "train").complete()
    with pytest.raises(UserError, match=r"none of the folders leftImg8bit, .*: unpack leftImg8bit_trainval"):
        list_cityscapes(tmp_path, "train").complete()
    write_cityscapes(tmp_path, splits=("train",))
    with pytest.raises(UserError, match=r"unknown Cityscapes split 'training'.*train, val, test"):
        list_cityscapes(tmp_path, "training").complete()
    with pytest.raises(UserError, match=r"image folder .*leftImg8bit/val does not exist"):
        list_cityscapes(tmp_path, "val").complete()
    (tmp_path / "leftImg8bit/val").mkdir()
    with pytest.raises(UserError, match=r"leftImg8bit/val has no \*/\*_leftImg8bit.png"):
        list_cityscapes(tmp_path, "val").complete()
    (tmp_path / "gtFine/train").rename(tmp_path / "gtFine/other")
    with pytest.raises(UserError, match=r"label folder .*gtFine/train does not exist"):
        list_cityscapes(tmp_path, "train").complete()


def test_missing_pairs_either_way(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    frames = list_cityscapes(tmp_path, "train").complete()
    gone = [frame for frame in frames if frame.image.parent.name == "ulm"]
    for frame in gone:
        assert frame.labels is not None
        frame.labels.unlink()
    with pytest.raises(UserError, match=r"ulm_000000_\S*png has no labels: .* \(nor have 1 others\)"):
        list_cityscapes(tmp_path, "train").complete()
    aachen = tmp_path / "leftImg8bit/train/aachen/aachen_000001_000019_leftImg8bit.png"
    aachen.unlink()
    listing = list_cityscapes(tmp_path, "train")
    assert [image for image, _ in listing.missing] == [frame.image for frame in gone]
    assert len(listing.frames) == 3
    assert [path.name for path in listing.orphans] == ["aachen_000001_000019_gtFine_labelIds.png"]
