from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.datasets.acdc import list_acdc
from distill.scenes.dataset import made_by, write_dataset
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError

SIZE = (40, 64)


def read(path: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))


def test_layout_is_acdcs(tmp_path: Path) -> None:
    made = write_dataset(tmp_path / "out", train=5, val=2, size=SIZE, seed=7)

    assert made == 7
    images = sorted(p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*_rgb_anon.png"))
    labels = sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*_gt_labelTrainIds.png")
    )
    assert images[0] == "rgb_anon/fog/train/SCENES0007/SCENES0007_frame_000000_rgb_anon.png"
    assert labels == [
        path.replace("rgb_anon/", "gt/", 1).replace("_rgb_anon.png", "_gt_labelTrainIds.png")
        for path in images
    ]
    train = [path.split("/")[1] for path in images if "/train/" in path]
    assert sorted(train) == ["fog", "fog", "night", "rain", "snow"]
    picture, truth = read(tmp_path / "out" / images[0]), read(tmp_path / "out" / labels[0])
    assert picture.shape == (*SIZE, 3)
    assert truth.shape == SIZE
    assert truth.max() < 19
    assert not list(tmp_path.rglob("*.part"))


def test_the_reader_for_acdc_reads_it(tmp_path: Path) -> None:
    write_dataset(tmp_path, train=4, val=4, size=SIZE, seed=1)

    assert len(list_acdc(tmp_path, "train").complete()) == 4
    assert len(list_acdc(tmp_path, "val", conditions=("night",)).complete()) == 1


def test_images_are_the_same_whatever_the_number_of_workers(tmp_path: Path) -> None:
    for workers in (1, 2):
        write_dataset(tmp_path / str(workers), train=6, val=2, size=SIZE, seed=3, workers=workers)

    one, two = sorted((tmp_path / "1").rglob("*.png")), sorted((tmp_path / "2").rglob("*.png"))
    assert len(one) == len(two) == 16
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(read(first), read(second))


def test_train_and_val_differ(tmp_path: Path) -> None:
    write_dataset(tmp_path, train=1, val=1, size=SIZE, seed=3, conditions=("fog",))

    first, second = map(read, tmp_path.rglob("*_rgb_anon.png"))

    assert (first != second).any()


def test_writing_again_makes_only_what_is_missing(tmp_path: Path) -> None:
    write_dataset(tmp_path, train=4, val=0, size=SIZE, seed=3)
    victim = next(tmp_path.rglob("*_rgb_anon.png"))
    before = victim.read_bytes()
    victim.unlink()

    made = write_dataset(tmp_path, train=4, val=0, size=SIZE, seed=3)

    assert made == 1
    assert victim.read_bytes() == before


def test_other_settings_are_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, train=1, val=0, size=SIZE, seed=3)

    with pytest.raises(UserError, match="other settings"):
        write_dataset(tmp_path, train=1, val=0, size=SIZE, seed=4)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(UserError, match="not empty"):
        write_dataset(tmp_path, train=1, val=0, size=SIZE, seed=3)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")

    with pytest.raises(UserError, match="is a file"):
        write_dataset(tmp_path / "out", train=1, val=0, size=SIZE, seed=3)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UserError, match="cannot be written"):
        write_dataset(tmp_path / "file" / "out", train=1, val=0, size=SIZE, seed=3)


def test_the_conditions_are_spread_evenly(tmp_path: Path) -> None:
    write_dataset(tmp_path, train=8, val=0, size=SIZE, seed=3)

    for condition in CONDITIONS:
        assert len(list((tmp_path / "rgb_anon" / condition / "train").rglob("*.png"))) == 2


def test_a_folder_says_how_it_was_made(tmp_path: Path) -> None:
    write_dataset(tmp_path / "scenes", train=0, val=2, size=SIZE, seed=3)
    assert made_by(tmp_path / "scenes") == "kd_seg scenes --train 0 --val 2 --size 40x64 --seed 3"
    assert made_by(tmp_path) == ""
    (tmp_path / "scenes.json").write_text('{"seed": 1}')
    assert made_by(tmp_path) == ""
