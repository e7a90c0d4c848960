"""Folders of images and labels: pairing, index and colour labels, CamVid itself."""

from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_png
from data_trees import write_folder
from PIL import Image

from distill.datasets.class_map import ClassMap, ColourNames, Values
from distill.datasets.folder import list_folder, list_images
from distill.datasets.frame import Frame, read_sample
from kd_seg_ros.common.errors import UserError

CAMVID = Path(__file__).resolve().parents[4] / "shared/data/camvid"
CAMVID_CLASSES = (
    *("sky", "building", "pole", "road", "pavement", "tree"),
    *("sign", "fence", "car", "pedestrian", "bicyclist"),
)
OWN = ("sky", "road", "tree")


def labels_of(frame: Frame) -> np.ndarray:
    labels = read_sample(frame).labels
    assert labels is not None
    return labels


def test_index_labels_with_the_data_sets_own_classes(tmp_path: Path) -> None:
    values = np.array([[4, 0, 9], [255, 7, 4]], np.uint8)
    write_folder(tmp_path, [values, values.T.copy()])
    names: Values = {4: "sky", 0: "road", 7: "road", 9: None}
    frames = list_folder(tmp_path / "images", tmp_path / "labels", ClassMap(names, OWN)).complete()
    assert [frame.image.relative_to(tmp_path).as_posix() for frame in frames] == [
        "images/sub/00.png",
        "images/sub/01.png",
    ]
    expected = np.array([[0, 1, 255], [255, 1, 0]])
    np.testing.assert_array_equal(labels_of(frames[0]), expected)
    np.testing.assert_array_equal(labels_of(frames[1]), expected.T)
    assert {frame.num_classes for frame in frames} == {3}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_labels_with_our_classes(tmp_path: Path, mode: str) -> None:
    colours: ColourNames = {
        (128, 64, 128): "road",
        (0, 0, 1): "sky",
        (255, 255, 255): "bicycle",
        (0, 0, 0): None,
    }
    choice = np.random.default_rng(1).integers(0, 4, (30, 40))
    pixels = np.array(list(colours), np.uint8)[choice]
    write_folder(tmp_path, [pixels], suffix="_L")
    Image.fromarray(pixels).convert(mode).save(tmp_path / "labels/sub/00_L.png")
    if mode == "P":  # Pillow's own palette does not have these colours
        Image.fromarray(pixels).quantize(4).save(tmp_path / "labels/sub/00_L.png")
    classes = ClassMap(colours, label_suffix="_L")
    frames = list_folder(tmp_path / "images", tmp_path / "labels", classes).complete()
    np.testing.assert_array_equal(labels_of(frames[0]), np.array([0, 10, 18, 255])[choice])


def test_unknown_colours_and_values_are_named(tmp_path: Path) -> None:
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[1, 2] = (9, 8, 7)
    pixels[3, 4] = (255, 0, 0)
    write_folder(tmp_path, [pixels])
    colours: ColourNames = {(0, 0, 0): "road", (10, 0, 0): "sky"}
    frame = list_folder(tmp_path / "images", tmp_path / "labels", ClassMap(colours)).complete()[0]
    with pytest.raises(UserError, match=r"00.png holds the colours \(9, 8, 7\), \(255, 0, 0\): add them"):
        read_sample(frame)
    write_png(tmp_path / "labels/sub/00.png", np.array([[0, 3]], np.uint8).repeat(4, 0))
    with pytest.raises(UserError, match="mode L: its class map needs RGB colours"):
        read_sample(frame)
    values: Values = {0: "road"}
    frame = list_folder(tmp_path / "images", tmp_path / "labels", ClassMap(values, OWN)).complete()[0]
    with pytest.raises(UserError, match=r"label values 3: labels must be trainIds 0…2 or 255"):
        read_sample(frame)


def test_partners_that_are_missing(tmp_path: Path) -> None:
    write_folder(tmp_path, [np.zeros((2, 3), np.uint8)] * 3)
    (tmp_path / "images/sub/01.png").unlink()
    (tmp_path / "labels/sub/02.png").unlink()
    (tmp_path / "labels/sub/readme.txt").touch()
    names: Values = {0: "road"}
    with pytest.raises(UserError, match=r"sub/02.png has no labels: \S*labels/sub/02.png does not exist"):
        list_folder(tmp_path / "images", tmp_path / "labels", ClassMap(names)).complete()
    listing = list_folder(tmp_path / "images", tmp_path / "labels", ClassMap(names))
    assert [frame.image.name for frame in listing.frames] == ["00.png", "02.png"]
    assert listing.orphans == [tmp_path / "labels/sub/01.png"]


def test_mistakes_are_named(tmp_path: Path) -> None:
    names: Values = {0: "road"}
    with pytest.raises(UserError, match=r"image folder .*images does not exist"):
        list_folder(tmp_path / "images", tmp_path / "labels", ClassMap(names)).complete()
    write_folder(tmp_path, [np.zeros((2, 3), np.uint8)])
    with pytest.raises(UserError, match=r"label folder .*gone does not exist"):
        list_folder(tmp_path / "images", tmp_path / "gone", ClassMap(names)).complete()
    with pytest.raises(UserError, match=r"'roof' is none of the classes"):
        list_folder(tmp_path / "images", tmp_path / "labels", ClassMap({0: "roof"}, OWN)).complete()
    write_png(tmp_path / "images/sub/00.bmp", np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(UserError, match=r"00.bmp and \S*00.png differ in their extension alone"):
        list_images(tmp_path)


def test_unlabelled_images_of_all_subfolders(tmp_path: Path) -> None:
    for name in ("b.PNG", "a/x.jpg", "a/b/y.jpeg", "c.v2.png"):
        write_png(tmp_path / name, np.zeros((2, 3, 3), np.uint8))
    (tmp_path / "notes.txt").touch()
    frames = list_images(tmp_path).complete()
    names = {frame.image.relative_to(tmp_path).as_posix() for frame in frames}
    assert names == {"b.PNG", "a/x.jpg", "a/b/y.jpeg", "c.v2.png"}
    assert [frame.image for frame in frames] == sorted(frame.image for frame in frames)
    assert {frame.labels for frame in frames} == {None}
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty has no images"):
        list_images(tmp_path / "empty")


@pytest.mark.skipif(not CAMVID.is_dir(), reason="needs the real CamVid frames")
def test_camvid() -> None:
    own: Values = dict(enumerate(CAMVID_CLASSES))
    ours: Values = {
        0: "sky",
        1: "building",
        2: "pole",
        3: "road",
        4: "sidewalk",
        5: "vegetation",
    } | dict.fromkeys(range(6, 11))
    folders = CAMVID / "val/images", CAMVID / "val/labels"
    in_own = list_folder(*folders, ClassMap(own, CAMVID_CLASSES)).complete()
    in_ours = list_folder(*folders, ClassMap(ours)).complete()
    assert len(in_own) == len(in_ours) == 101
    training = list_folder(CAMVID / "train/images", CAMVID / "train/labels", ClassMap(own, CAMVID_CLASSES))
    assert len(training.complete()) == 367
    to_ours = np.array([10, 2, 5, 0, 1, 8] + [255] * 250, np.uint8)
    for frame, other in zip(in_own[::25], in_ours[::25], strict=True):
        assert frame.labels is not None
        raw = np.array(Image.open(frame.labels))
        assert read_sample(frame).image.shape == (360, 480, 3)
        np.testing.assert_array_equal(labels_of(frame), raw)
        np.testing.assert_array_equal(labels_of(other), to_ours[raw])
