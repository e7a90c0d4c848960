"""The BDD10K reader, in both layouts."""

from pathlib import Path

import numpy as np
import pytest
from data_trees import write_bdd10k
from PIL import Image

from distill.datasets.bdd10k import list_bdd10k
from distill.datasets.frame import read_sample
from kd_seg_ros.common.errors import UserError


@pytest.mark.parametrize("prefix", ["", "bdd100k"])
@pytest.mark.parametrize("old", [False, True])
def test_images_are_paired_with_their_train_ids(tmp_path: Path, old: bool, prefix: str) -> None:
    write_bdd10k(tmp_path / prefix, old=old)
    frames = list_bdd10k(tmp_path, "val").complete()
    assert [frame.image.name for frame in frames] == [f"{n:08x}-val.jpg" for n in range(3)]
    folder = tmp_path / prefix / ("seg/labels" if old else "labels/sem_seg/masks") / "val"
    for frame in frames:
        name = frame.image.stem + ("_train_id.png" if old else ".png")
        assert frame.labels == folder / name
        labels = read_sample(frame).labels
        np.testing.assert_array_equal(labels, np.array(Image.open(folder / name)))


@pytest.mark.parametrize("old", [False, True])
def test_the_test_split_has_no_labels(tmp_path: Path, old: bool) -> None:
    write_bdd10k(tmp_path, old=old, splits=("test",))
    assert [frame.labels for frame in list_bdd10k(tmp_path, "test").complete()] == [None] * 3


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none of the folders images/10k, seg/images, bdd100k/images/10k"):
        list_bdd10k(tmp_path, "train").complete()
    write_bdd10k(tmp_path)
    with pytest.raises(UserError, match=r"unknown BDD10K split 'dev'"):
        list_bdd10k(tmp_path, "dev").complete()
    frame = list_bdd10k(tmp_path, "train").complete()[1]
    assert frame.labels is not None
    frame.labels.rename(frame.labels.with_name("other.png"))
    with pytest.raises(UserError, match=rf"{frame.image} has no labels: {frame.labels} does not exist"):
        list_bdd10k(tmp_path, "train").complete()
    listing = list_bdd10k(tmp_path, "train")
    assert listing.missing == [(frame.image, frame.labels)]
    assert listing.orphans == [frame.labels.with_name("other.png")]
