"""How the files of a data set are found: links, loops, hidden files, case and Unicode forms of names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from acdc_tree import write_acdc, write_png
from data_trees import write_folder

from distill.datasets.acdc import list_acdc
from distill.datasets.class_map import ClassMap
from distill.datasets.files import find_files
from distill.datasets.folder import list_folder, list_images
from kd_seg_ros.common.errors import UserError

TWO = ClassMap({0: "road", 1: "sky"}, ("road", "sky"))
NAME = "straße_ü.png"
ZEROS = np.zeros((2, 3), np.uint8)


def names(paths: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_links_to_folders_are_followed_on_either_side(tmp_path: Path) -> None:
    write_folder(tmp_path / "disk", [ZEROS] * 2)
    write_folder(tmp_path / "data", [ZEROS])
    for kind in ("images", "labels"):
        (tmp_path / "data" / kind / "linked").symlink_to(tmp_path / "disk" / kind / "sub")
    listing = list_folder(tmp_path / "data/images", tmp_path / "data/labels", TWO)
    found = names([frame.image for frame in listing.complete()], tmp_path / "data/images")
    assert found == ["linked/00.png", "linked/01.png", "sub/00.png"]
    assert len(listing.oddities.links) == 2
    (tmp_path / "data/images/linked").unlink()
    (tmp_path / "disk/images/sub").rename(tmp_path / "data/images/linked")
    assert len(list_folder(tmp_path / "data/images", tmp_path / "data/labels", TWO).complete()) == 3


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    write_folder(tmp_path, [ZEROS])
    (tmp_path / "images/sub/again").symlink_to(tmp_path / "images")
    (tmp_path / "images/self").symlink_to("self")
    listing = list_images(tmp_path / "images")
    assert names([frame.image for frame in listing.frames], tmp_path) == ["images/sub/00.png"]
    assert listing.oddities.loops == (tmp_path / "images/self", tmp_path / "images/sub/again")


def test_hidden_files_and_folders_are_left_out_and_counted(tmp_path: Path) -> None:
    write_folder(tmp_path, [ZEROS])
    write_png(tmp_path / "images/.ipynb_checkpoints/a.png", ZEROS)
    write_png(tmp_path / "images/sub/._00.png", ZEROS)
    listing = list_images(tmp_path / "images")
    assert [frame.image.name for frame in listing.frames] == ["00.png"]
    assert [path.name for path in listing.oddities.hidden] == ["a.png", "._00.png"]
    write_acdc(tmp_path, frames=1)
    write_png(tmp_path / "rgb_anon/fog/train/GP01/._GP01_frame_000000_rgb_anon.png", ZEROS)
    assert len(list_acdc(tmp_path, "train", ("fog",)).complete()) == 1


def test_a_folder_of_hidden_images_alone_says_so(tmp_path: Path) -> None:
    write_png(tmp_path / ".a/a.png", ZEROS)
    with pytest.raises(UserError, match=r"has no images .*; 1 hidden ones are left out"):
        list_images(tmp_path)


def test_both_unicode_forms_of_a_name_are_one_name(tmp_path: Path) -> None:
    composed, decomposed = unicodedata.normalize("NFC", NAME), unicodedata.normalize("NFD", NAME)
    assert composed != decomposed
    write_png(tmp_path / "images" / composed, ZEROS)
    write_png(tmp_path / "labels" / decomposed, ZEROS)
    listing = list_folder(tmp_path / "images", tmp_path / "labels", TWO)
    assert listing.complete()[0].labels is not None
    assert listing.orphans == []
    write_png(tmp_path / "images" / decomposed, ZEROS)
    with pytest.raises(UserError, match="differ in their Unicode form alone"):
        list_images(tmp_path / "images")


def test_the_case_of_extensions_does_not_matter(tmp_path: Path) -> None:
    write_acdc(tmp_path, frames=2)
    images = sorted(tmp_path.glob("rgb_anon/fog/train/*/*.png"))
    images[0].rename(images[0].with_suffix(".PNG"))
    listing = list_acdc(tmp_path, "train", ("fog",))
    assert len(listing.complete()) == 2
    assert listing.orphans == []
    write_png(images[0], ZEROS)
    with pytest.raises(UserError, match="differ in their upper and lower case"):
        list_acdc(tmp_path, "train", ("fog",))


def test_a_link_to_nothing_is_listed_so_that_reading_it_names_it(tmp_path: Path) -> None:
    write_folder(tmp_path, [ZEROS])
    (tmp_path / "images/sub/gone.png").symlink_to("nowhere.png")
    assert len(list_images(tmp_path / "images").frames) == 2


def test_a_pipe_among_the_images_is_named_and_not_waited_for(tmp_path: Path) -> None:
    write_folder(tmp_path, [ZEROS])
    os.mkfifo(tmp_path / "images" / "notes.txt")
    (tmp_path / "images" / "link.png").symlink_to("notes.txt")
    with pytest.raises(UserError, match=r"link\.png cannot be read: a pipe or a device, not a file"):
        list_images(tmp_path / "images")
    (tmp_path / "images" / "link.png").unlink()
    assert len(find_files(tmp_path / "images", [".png"]).files) == 1


def test_only_the_asked_depth_is_searched(tmp_path: Path) -> None:
    for name in ("a.png", "b/a.png", "b/c/a.png"):
        write_png(tmp_path / name, ZEROS)
    assert names(find_files(tmp_path, [".png"], 1).files, tmp_path) == ["b/a.png"]
    assert len(find_files(tmp_path, [".png"]).files) == 3


def test_images_cannot_be_their_own_labels(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", ZEROS)
    with pytest.raises(UserError, match="is an image and its labels at once"):
        list_folder(tmp_path, tmp_path, TWO)
