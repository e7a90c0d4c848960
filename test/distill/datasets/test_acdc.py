"""The ACDC reader: layouts, order, pairing and every mistake in a tree."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc, write_png
from PIL import Image

from distill.datasets.acdc import list_acdc
from distill.datasets.frame import Sample, read_sample
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError

ACDC_MINI = Path(__file__).resolve().parents[4] / "shared/data/acdc_mini"

# Cityscapes' published table (labels.py of cityscapesScripts): id → trainId, by class name.
CITYSCAPES = {
    7: 0,  # road
    8: 1,  # sidewalk
    11: 2,  # building
    12: 3,  # wall
    13: 4,  # fence
    17: 5,  # pole
    19: 6,  # traffic light
    20: 7,  # traffic sign
    21: 8,  # vegetation
    22: 9,  # terrain
    23: 10,  # sky
    24: 11,  # person
    25: 12,  # rider
    26: 13,  # car
    27: 14,  # truck
    28: 15,  # bus
    31: 16,  # train
    32: 17,  # motorcycle
    33: 18,  # bicycle
}


def first(root: Path, kind: str) -> Path:
    """The first file of the fog train split whose name ends in ``kind``.png."""
    return min(root.rglob(f"fog/train/*/*{kind}.png"))


def one_line(error: pytest.ExceptionInfo[UserError], *parts: object) -> None:
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message


@pytest.mark.parametrize("image_folder", ["rgb_anon", "rgb_anon_trainvaltest/rgb_anon"])
@pytest.mark.parametrize("label_folder", ["gt", "gt_trainval/gt"])
def test_reads_both_layouts_of_either_zip(tmp_path: Path, image_folder: str, label_folder: str) -> None:
    write_acdc(tmp_path, image_folder=image_folder, label_folder=label_folder)
    frames = list_acdc(tmp_path, "train").complete()
    assert [frame.condition for frame in frames] == [c for c in CONDITIONS for _ in range(2)]
    for frame in frames:
        assert read_sample(frame).condition == frame.condition
        assert frame.labels is not None
        expected = frame.image.name.replace("_rgb_anon", "_gt_labelTrainIds")
        assert frame.labels.name == expected
        assert frame.labels.parent.relative_to(tmp_path / label_folder) == frame.image.parent.relative_to(
            tmp_path / image_folder
        )


def test_a_sample_holds_the_pixels_of_the_files(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    image = np.zeros((12, 20, 3), np.uint8)
    image[2, 3] = (200, 100, 50)
    labels = np.full((12, 20), 255, np.uint8)
    labels[2, 3] = 18
    write_png(first(tmp_path, "_rgb_anon"), image)
    write_png(first(tmp_path, "_gt_labelTrainIds"), labels)
    sample = read_sample(list_acdc(tmp_path, "train").complete()[0])
    assert isinstance(sample, Sample)
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_array_equal(sample.labels, labels)
    assert sample.path == first(tmp_path, "_rgb_anon")


def test_order_is_that_of_the_names_and_of_the_conditions_asked_for(tmp_path: Path) -> None:
    write_acdc(tmp_path, frames=3)
    frames = list_acdc(tmp_path, "val", ("snow", "fog")).complete()
    names = [(frame.condition, frame.image.name) for frame in frames]
    expected = [(c, f"GP01_frame_{n:06d}_rgb_anon.png") for c in ("snow", "fog") for n in range(3)]
    assert names == expected


def test_reference_frames_are_of_condition_normal(tmp_path: Path) -> None:
    write_acdc(tmp_path, splits=("train_ref",), conditions=("fog",))
    frames = list_acdc(tmp_path, "train", ("fog",), reference=True).complete()
    assert [frame.condition for frame in frames] == ["normal", "normal"]
    labels = read_sample(frames[1]).labels
    assert labels is not None
    assert labels.shape == (12, 20)


def test_test_split_has_no_labels(tmp_path: Path) -> None:
    write_acdc(tmp_path, splits=("test",))
    shutil.rmtree(tmp_path / "gt")
    sample = read_sample(list_acdc(tmp_path, "test").complete()[0])
    assert sample.labels is None
    assert sample.image.shape == (12, 20, 3)


def test_label_ids_are_mapped_where_train_ids_are_missing(tmp_path: Path) -> None:
    write_acdc(tmp_path, conditions=("fog",), label_kind="labelIds", size=(5, 7))
    ids = np.full((5, 7), 255, np.uint8)
    ids.flat[:34] = range(34)
    write_png(first(tmp_path, "_gt_labelIds"), ids)
    labels = read_sample(list_acdc(tmp_path, "train", ("fog",)).complete()[0]).labels
    np.testing.assert_array_equal(labels, np.vectorize(lambda i: CITYSCAPES.get(i, 255))(ids))


def test_train_ids_win_over_label_ids(tmp_path: Path) -> None:
    write_acdc(tmp_path, conditions=("fog",))
    write_png(
        first(tmp_path, "_labelTrainIds").with_name("GP01_frame_000000_gt_labelIds.png"),
        np.zeros((12, 20), "u1"),
    )
    assert list_acdc(tmp_path, "train", ("fog",)).complete()[0].labels == first(tmp_path, "_labelTrainIds")


def test_unknown_split_and_conditions_name_the_choice(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    with pytest.raises(UserError) as error:
        list_acdc(tmp_path, "valid")
    one_line(error, "'valid'", "train, val, test")
    with pytest.raises(UserError) as error:
        list_acdc(tmp_path, "train", ("fog", "hail"))
    one_line(error, "'hail'", "fog, night, rain, snow")
    with pytest.raises(UserError):
        list_acdc(tmp_path, "train", ())


def test_root_that_is_missing_or_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        list_acdc(tmp_path / "nowhere", "train")
    one_line(error, tmp_path / "nowhere", "does not exist")
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as error:
        list_acdc(tmp_path / "file", "train")
    one_line(error, tmp_path / "file", "not a folder")


@pytest.mark.parametrize(
    ("folder", "zip_name"), [("rgb_anon", "rgb_anon_trainvaltest.zip"), ("gt", "gt_trainval.zip")]
)
def test_missing_folder_names_the_zip_to_unpack(tmp_path: Path, folder: str, zip_name: str) -> None:
    write_acdc(tmp_path)
    shutil.rmtree(tmp_path / folder)
    with pytest.raises(UserError) as error:
        list_acdc(tmp_path, "train").complete()
    one_line(error, tmp_path, folder, zip_name)


def test_missing_condition_and_empty_split_name_the_folder(tmp_path: Path) -> None:
    write_acdc(tmp_path, conditions=("fog", "rain"))
    assert len(list_acdc(tmp_path, "train", ("fog", "rain")).complete()) == 4
    with pytest.raises(UserError) as error:
        list_acdc(tmp_path, "train").complete()
    one_line(error, tmp_path / "rgb_anon/night/train", "does not exist")
    for path in (tmp_path / "rgb_anon/rain/train").rglob("*.png"):
        path.unlink()
    with pytest.raises(UserError) as error:
        list_acdc(tmp_path, "train", ("fog", "rain")).complete()
    one_line(error, tmp_path / "rgb_anon/rain/train", "has no */*_rgb_anon.png")


def test_image_without_labels_names_both_files(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    labels = first(tmp_path, "_labelTrainIds")
    labels.unlink()
    with pytest.raises(UserError) as error:
        list_acdc(tmp_path, "train").complete()
    one_line(error, first(tmp_path, "_rgb_anon"), labels)


@pytest.mark.parametrize(("value", "kind"), [(19, "labelTrainIds"), (34, "labelIds"), (254, "labelIds")])
def test_label_values_that_are_no_class_are_named(tmp_path: Path, value: int, kind: str) -> None:
    write_acdc(tmp_path, conditions=("fog",), label_kind=kind)
    labels = np.full((12, 20), 7, np.uint8)
    labels[3, 3] = value
    write_png(first(tmp_path, kind), labels)
    with pytest.raises(UserError) as error:
        read_sample(list_acdc(tmp_path, "train", ("fog",)).complete()[0])
    one_line(error, first(tmp_path, kind), f"values {value}:", "0…18 or 255")


def test_colour_labels_are_refused(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    write_png(first(tmp_path, "_labelTrainIds"), np.zeros((12, 20, 3), np.uint8))
    with pytest.raises(UserError) as error:
        read_sample(list_acdc(tmp_path, "train").complete()[0])
    one_line(error, first(tmp_path, "_labelTrainIds"), "mode RGB", "trainIds")


def test_sizes_that_differ_are_named(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    write_png(first(tmp_path, "_labelTrainIds"), np.zeros((6, 10), np.uint8))
    with pytest.raises(UserError) as error:
        read_sample(list_acdc(tmp_path, "train").complete()[0])
    one_line(error, first(tmp_path, "_labelTrainIds"), "10×6", first(tmp_path, "_rgb_anon"), "20×12")


def test_sixteen_bit_images_are_refused(tmp_path: Path) -> None:
    write_acdc(tmp_path)
    Image.fromarray(np.zeros((12, 20), np.uint16)).save(first(tmp_path, "_rgb_anon"))
    with pytest.raises(UserError) as error:
        read_sample(list_acdc(tmp_path, "train").complete()[0])
    one_line(error, first(tmp_path, "_rgb_anon"), "8-bit")


@pytest.mark.parametrize("kind", ["_rgb_anon", "_labelTrainIds"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "gone"])
def test_damaged_files_are_named(tmp_path: Path, kind: str, damage: str) -> None:
    write_acdc(tmp_path)
    frames = list_acdc(tmp_path, "train").complete()
    path = first(tmp_path, kind)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "garbage": b"x" * 99}[damage])
    with pytest.raises(UserError) as error:
        read_sample(frames[0])
    one_line(error, path, "cannot read")


@pytest.mark.skipif(not ACDC_MINI.is_dir(), reason="needs the real ACDC frames")
@pytest.mark.parametrize("split", ["train", "val"])
def test_real_frames(split: str) -> None:
    frames = list_acdc(ACDC_MINI, split).complete()
    assert [frame.condition for frame in frames] == list(CONDITIONS)
    sample = read_sample(frames[0])
    assert sample.labels is not None
    assert sample.image.shape == (1080, 1920, 3)
    assert sample.labels.shape == (1080, 1920)
    assert set(np.unique(sample.labels)) <= {*range(19), 255}


def test_normal_is_the_clear_weather_reference_of_every_place(tmp_path: Path) -> None:
    write_acdc(tmp_path, splits=("train", "train_ref"), conditions=("fog", "rain"), frames=2)
    frames = list_acdc(tmp_path, "train", ("normal",)).complete()
    assert [frame.condition for frame in frames] == ["normal"] * 4
    assert all("train_ref" in frame.image.parts for frame in frames)
    both = list_acdc(tmp_path, "train", ("fog", "normal")).complete()
    assert [frame.condition for frame in both] == ["fog"] * 2 + ["normal"] * 4
    with pytest.raises(UserError, match="each once, not 'fog', 'fog'"):
        list_acdc(tmp_path, "train", ("fog", "fog"))
