"""Label files are read exactly; expected values come from PNG chunks written by hand, not by an encoder."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.datasets.frame import Frame, read_sample, to_train_ids
from distill.datasets.image_file import read_header, read_image, read_label_colours, read_label_indices
from kd_seg_ros.common.errors import UserError

GREY, RGB, PALETTE, GREY_ALPHA = 0, 2, 3, 4
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2}


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_by_hand(path: Path, values: np.ndarray, bits: int, colour: int, extra: bytes = b"") -> Path:
    """Write values [H, W] or [H, W, C] as a PNG: each row is a filter byte and the values, packed by bits."""
    height, width = values.shape[:2]
    rows = b""
    for row in values.reshape(height, -1):
        text = "".join(f"{int(value):0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
    path.write_bytes(data + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_of_every_depth_holds_its_own_values(tmp_path: Path, bits: int) -> None:
    count = min(2**bits, 4096)
    values = (
        (np.arange(count * 3) % count).reshape(3, -1) if bits < 16 else np.array([[0, 7, 255, 300, 65535]])
    )
    path = write_by_hand(tmp_path / "a.png", values, bits, GREY)
    np.testing.assert_array_equal(read_label_indices(path), values)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_give_their_indices_and_their_colours(tmp_path: Path, bits: int) -> None:
    count = 2**bits
    values = (np.arange(count * 3) % count).reshape(3, -1)
    colours = np.random.default_rng(bits).integers(0, 256, (count, 3), np.uint8)
    path = write_by_hand(tmp_path / "a.png", values, bits, PALETTE, chunk(b"PLTE", colours.tobytes()))
    np.testing.assert_array_equal(read_label_indices(path), values)
    np.testing.assert_array_equal(read_label_colours(path), colours[values])


def test_grey_with_alpha_gives_its_grey(tmp_path: Path) -> None:
    values = np.array([[[3, 255], [200, 0], [1, 128]]])
    path = write_by_hand(tmp_path / "a.png", values, 8, GREY_ALPHA)
    np.testing.assert_array_equal(read_label_indices(path), values[..., 0])
    path = write_by_hand(tmp_path / "b.png", values * 100, 16, GREY_ALPHA)
    with pytest.raises(UserError, match=r"b\.png has several channels of 16 bits"):
        read_label_indices(path)


def test_colours_of_16_bits_are_refused_and_of_8_bits_exact(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 3))
    np.testing.assert_array_equal(
        read_label_colours(write_by_hand(tmp_path / "a.png", values, 8, RGB)), values
    )
    with pytest.raises(UserError, match=r"b\.png has 16 bits per colour"):
        read_label_colours(write_by_hand(tmp_path / "b.png", values * 200, 16, RGB))
    with pytest.raises(UserError, match=r"a\.png is no label map but an image of mode RGB"):
        read_label_indices(tmp_path / "a.png")


def test_values_above_eight_bits_stand_for_no_class(tmp_path: Path) -> None:
    path = write_by_hand(tmp_path / "a.png", np.array([[1, 257, 65535]]), 16, GREY)
    for table in (None, bytes([0, 1] + [254] * 253 + [255])):
        frame = Frame(path, path, "normal", table, 2)
        with pytest.raises(UserError, match=r"a\.png holds the label values 257, 65535"):
            to_train_ids(read_label_indices(path), frame)
    whole = np.array([[1, 0, 255]])
    path = write_by_hand(tmp_path / "b.png", whole, 16, GREY)
    labels = to_train_ids(read_label_indices(path), Frame(path, path, "normal", None, 2))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, whole)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.gif", "a.jp2"])
def test_formats_that_bend_values_are_refused_whatever_the_extension(tmp_path: Path, name: str) -> None:
    values = np.random.default_rng(0).integers(0, 3, (16, 16), np.uint8)
    Image.fromarray(values).convert("RGB" if name == "a.webp" else "L").save(tmp_path / name)
    for path in (tmp_path / name, (tmp_path / name).rename(tmp_path / "a.png")):
        if path.exists():
            for read in (read_label_indices, read_label_colours):
                with pytest.raises(UserError, match=r"a\.png is .*does not keep label values.* PNG"):
                    read(path)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_lossless_tiff_is_exact_and_jpeg_in_tiff_is_refused(tmp_path: Path, compression: str | None) -> None:
    values = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(values).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read_label_indices(tmp_path / "a.tif"), values)
    deep = values.astype(np.uint16) * 255
    Image.fromarray(deep).save(tmp_path / "deep.tif", compression=compression)
    np.testing.assert_array_equal(read_label_indices(tmp_path / "deep.tif"), deep)
    Image.fromarray(values).save(tmp_path / "b.tif", compression="jpeg")
    with pytest.raises(UserError, match=r"b\.tif is TIFF with lossy compression"):
        read_label_indices(tmp_path / "b.tif")


def test_tiff_of_inverted_grey_is_refused(tmp_path: Path) -> None:
    values = np.arange(16, dtype=np.uint8).reshape(4, 4)
    Image.fromarray(values).save(tmp_path / "a.tif", tiffinfo={262: 0})
    with pytest.raises(UserError, match=r"a\.tif is TIFF of 8 bits in an unusual order"):
        read_label_indices(tmp_path / "a.tif")


def test_other_lossless_formats(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 7), np.uint8)
    for name in ("a.bmp", "a.ppm"):
        Image.fromarray(values).save(tmp_path / name)
        np.testing.assert_array_equal(read_label_indices(tmp_path / name), values)
    colours = np.dstack([values, values.T.reshape(5, 7), 255 - values])
    Image.fromarray(colours).save(tmp_path / "a.webp", lossless=True)
    np.testing.assert_array_equal(read_label_colours(tmp_path / "a.webp"), colours)
    (tmp_path / "b.ppm").write_bytes(b"P5 2 1 7\n\x01\x07")
    with pytest.raises(UserError, match=r"b\.ppm is a PBM, PGM or PPM with another largest value"):
        read_label_indices(tmp_path / "b.ppm")
    Image.fromarray(values > 99).save(tmp_path / "b.bmp")
    with pytest.raises(UserError, match=r"b\.bmp is BMP of 1 bits"):
        read_label_indices(tmp_path / "b.bmp")


def oriented(path: Path, pixels: np.ndarray, number: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = number
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def test_images_are_turned_upright_as_exif_says(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    # TIFF 6.0: 3 is turned by 180°, 6 must be turned clockwise by 90°, 2 is mirrored left to right.
    expected = {1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 6: np.rot90(pixels, -1)}
    for number, upright in expected.items():
        path = oriented(tmp_path / f"{number}.png", pixels, number)
        np.testing.assert_array_equal(read_image(path), upright)
        assert read_header(path) == (upright.shape[:2], number)


def test_labels_of_a_turned_image_must_be_upright(tmp_path: Path) -> None:
    image = oriented(tmp_path / "image.png", np.zeros((4, 6, 3), np.uint8), 6)
    write_by_hand(tmp_path / "labels.png", np.zeros((4, 6)), 8, GREY)
    with pytest.raises(UserError, match=r"labels\.png is 6×4 but its image .* is 4×6 .* EXIF orientation"):
        read_sample(Frame(image, tmp_path / "labels.png", "normal"))
    turned = oriented(tmp_path / "turned.png", np.zeros((4, 6), np.uint8), 6)
    with pytest.raises(UserError, match=r"turned\.png is to be turned by its EXIF orientation"):
        read_label_indices(turned)
