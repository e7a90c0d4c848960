"""Folders of pictures as people have them: each file is read rightly, or one line names it."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kd_seg_ros.bags.pictures import VideoFrames, image_files
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DECODE_DEFAULTS, DecodeOptions

RGB = cv2.resize(
    np.random.default_rng(4).integers(0, 256, (6, 9, 3), dtype=np.uint8),
    (36, 24),
    interpolation=cv2.INTER_CUBIC,
)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def names(folder: Path) -> list[str]:
    return [picture.name for picture in image_files(folder, 10.0)]


def only(folder: Path, decoding: DecodeOptions = DECODE_DEFAULTS) -> NDArray[np.uint8]:
    (picture,) = image_files(folder, 10.0)
    return picture.content(decoding).rgb


def with_orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


@pytest.mark.parametrize("extension", ["png", "jpg"])
@pytest.mark.parametrize("number", range(1, 9))
def test_pictures_stand_upright_as_viewers_show_them(tmp_path: Path, number: int, extension: str) -> None:
    """Pillow's own reading of the orientation is the reference."""
    from PIL.ImageOps import exif_transpose

    path = save(tmp_path / f"0.{extension}", Image.fromarray(RGB), exif=with_orientation(number))
    shown = exif_transpose(Image.open(path))
    (picture,) = image_files(tmp_path, 10.0)
    content = picture.content(DECODE_DEFAULTS)
    assert content.rgb.shape == (24, 36, 3) if number < 5 else (36, 24, 3)
    assert np.abs(content.rgb.astype(int) - np.asarray(shown)).mean() < 2
    assert (content.file_bytes is None) == (number > 1)


@pytest.mark.parametrize(
    ("image", "options", "tolerance"),
    [
        (Image.fromarray(RGB).quantize(32), {}, 0),
        (Image.fromarray(np.dstack([RGB, RGB[..., :1]])), {}, 0),
        (Image.fromarray(RGB[..., 0]), {}, 0),
        (Image.fromarray(RGB[..., 0] > 99), {}, 0),
        (Image.fromarray(np.dstack([RGB[..., 0], RGB[..., 1]]), "LA"), {}, 0),
    ],
    ids=["palette", "alpha", "grey", "1 bit", "grey and alpha"],
)
def test_kinds_of_png(tmp_path: Path, image: Image.Image, options: dict[str, Any], tolerance: int) -> None:
    save(tmp_path / "0.PNG", image, **options)
    expected = np.asarray(image.convert("RGBA").convert("RGB"))
    assert np.abs(only(tmp_path).astype(int) - expected).max() <= tolerance


def test_inks(tmp_path: Path) -> None:
    path = save(tmp_path / "0.Jpeg", Image.fromarray(RGB).convert("CMYK"))
    expected = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert np.abs(only(tmp_path) - expected).mean() < 2


def test_16_bits_need_a_white_level(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), RGB[..., ::-1].astype(np.uint16) * 16)
    with pytest.raises(UserError, match=r"0\.png: the PNG has more than 8 bits.*white_level"):
        only(tmp_path)
    np.testing.assert_array_equal(only(tmp_path, DecodeOptions(white_level=4080)), RGB)


def test_hidden_files_are_left_out_and_links_are_followed(tmp_path: Path) -> None:
    image = Image.fromarray(RGB)
    for name in ("1.png", "._1.png", ".hidden/2.png", "sub/.ipynb_checkpoints/3.png", "sub/4.JPG"):
        save(tmp_path / "drive" / name, image)
    save(tmp_path / "elsewhere" / "5.png", image)
    (tmp_path / "drive" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "drive" / "loop").symlink_to(tmp_path / "drive")
    (tmp_path / "drive" / "6.png").symlink_to(tmp_path / "elsewhere" / "5.png")
    os.mkfifo(tmp_path / "drive" / "7.png")
    (tmp_path / "drive" / "8.png").mkdir()
    assert names(tmp_path / "drive") == ["1.png", "6.png", "linked/5.png", "sub/4.JPG"]


def test_names_with_digits_that_are_no_numbers(tmp_path: Path) -> None:
    for name in ("a².png", "a1.png", "٣.png", "²"):
        save(tmp_path / name, Image.fromarray(RGB), format="png")
    assert sorted(names(tmp_path)) == ["a1.png", "a².png", "٣.png"]


def test_other_formats_are_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "0.bmp", Image.fromarray(RGB))
    save(tmp_path / "1.TIF", Image.fromarray(RGB), format="tiff")
    with pytest.raises(UserError, match=r"no \.png, \.jpg, \.jpeg files in it, only \.TIF, \.bmp: convert"):
        names(tmp_path)
    save(tmp_path / "2.png", Image.fromarray(RGB))
    with caplog.at_level(logging.WARNING):
        assert names(tmp_path) == ["2.png"]
    assert caplog.messages == [f"{tmp_path}: files of .TIF, .bmp are left out: convert them to .png"]


def test_files_that_cannot_be_read_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good = io.BytesIO()
    Image.fromarray(RGB).save(good, "jpeg")
    webp = io.BytesIO()
    Image.fromarray(RGB).save(webp, "webp")
    contents = {
        "empty.jpg": (b"", "neither JPEG nor PNG"),
        "cut.jpg": (good.getvalue()[:-90], "cut short"),
        "other.png": (b"no image", "neither JPEG nor PNG"),
        "named.jpg": (webp.getvalue(), "looks like a WebP"),
    }
    for name, (data, complaint) in contents.items():
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_bytes(data)
        with pytest.raises(UserError, match=rf"{name}: .*{complaint}") as caught:
            only(folder)
        assert "\n" not in str(caught.value)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "0.png").symlink_to(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"0\.png: cannot be read: No such file"):
        only(broken)
    assert capfd.readouterr() == ("", "")


def test_sizes_are_limited(tmp_path: Path) -> None:
    save(tmp_path / "0.png", Image.fromarray(RGB))
    with pytest.raises(UserError, match=r"0\.png: .* 36×24 is above the limit of 0\.0008 megapixels"):
        only(tmp_path, DecodeOptions(max_megapixels=0.0008))
    with (tmp_path / "0.png").open("r+b") as file:
        file.truncate(10**6)  # zeros after the picture's end
    with pytest.raises(UserError, match=r"0\.png: larger than an image of 0\.09 megapixels can be"):
        only(tmp_path, DecodeOptions(max_megapixels=0.09))
    video = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 5.0, (36, 24))
    writer.write(RGB)
    writer.release()
    assert len(list(VideoFrames(video, None))) == 1
    with pytest.raises(UserError, match=r"v\.avi: an image of 36×24 is above the limit"):
        VideoFrames(video, None, DecodeOptions(max_megapixels=0.0008))
