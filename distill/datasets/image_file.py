"""Decodes image files with Pillow: pictures as RGB that stands upright, labels as the very values they hold.

Decoders change values without a word where those of a picture would look the same: grey of 1, 2 and 4 bits is
stretched to 0…255, 16 bits are cut to 8, an inverted TIFF is inverted, lossy formats bend every value. In a
label file each of these makes other classes. Labels are therefore read only from formats of which it is known
that the values come through, and every other file is refused by its name.
"""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from kd_seg_ros.common.errors import UserError

_ORIENTATION: Final = 0x0112
"""EXIF's tag of the orientation; 1: upright."""
_LOW_BIT_FACTORS: Final = {2: 85, 4: 17}
"""By how much Pillow multiplies grey values of so many bits: 255 over the largest value."""
_TIFF_LOSSLESS: Final = (1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000)
"""TIFF's numbers of compressions that keep every value: none, fax, LZW, Deflate, PackBits, LZMA, ZSTD."""
_AS_PNG: Final = "save labels as PNG"


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Read an 8-bit image as uint8 [H, W, 3] RGB, turned upright as its EXIF orientation says.

    :raises UserError: if it cannot be decoded, or has another kind of pixels.
    """
    with _decoded(path) as image:
        if image.mode not in ("RGB", "RGBA", "L", "LA", "P"):
            raise UserError(f"{path} is an image of mode {image.mode}; give 8-bit RGB or grey")
        if orientation(image) == 1:
            return np.array(image.convert("RGB"))
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def read_header(path: Path) -> tuple[tuple[int, int], int]:
    """Read the size (height, width) of an image, once upright, in pixels, and its EXIF orientation, 1…8.

    Decodes no pixels. Orientation 1 is upright. Raises UserError if the file is no image.
    """
    with _opened(path) as image:
        # Pillow would decode a PNG to look for an orientation after its pixels.
        number = 1 if image.format == "PNG" and "exif" not in image.info else orientation(image)
        width, height = image.size
    return ((width, height) if number >= 5 else (height, width)), number


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1…8; 1, upright, where there is none or one that cannot be."""
    try:
        number = image.getexif().get(_ORIENTATION, 1)
    except (*_DAMAGE, LookupError, TypeError):
        return 1
    return number if isinstance(number, int) and 1 <= number <= 8 else 1


def read_label_indices(path: Path) -> npt.NDArray[np.integer[Any]]:
    """Read the values of a label file of one channel: grey, grey with alpha, or indices of a palette.

    :return: [H, W]; uint8, or uint16 for a file of 16 bits.
    :raises UserError: naming the file, if it cannot be decoded or its values could not be read exactly.
    """
    with _opened(path) as image:
        bits = _load_labels(image, path)
        if image.mode == "1":
            return np.array(image, np.uint8)
        if image.mode in ("L", "LA"):
            values = np.array(image.getchannel(0))
            # Back to what the file holds: the multiples are exact.
            return values // np.uint8(_LOW_BIT_FACTORS.get(bits, 1))
        if image.mode == "P":
            return np.array(image)
        if image.mode.startswith("I") and bits == 16:  # "I" in earlier versions of Pillow
            return np.array(image).astype(np.uint16)
        if bits == 16:
            raise UserError(f"{path} has several channels of 16 bits: {_AS_PNG} of one channel")
        raise UserError(
            f"{path} is no label map but an image of mode {image.mode}: give one channel of trainIds (PNG, "
            "8-bit), or for colours a class map with `colours`"
        )


def read_label_colours(path: Path) -> npt.NDArray[np.uint8]:
    """Read the colours of a label file, RGB [H, W, 3], 0…255.

    :raises UserError: naming the file, if it cannot be decoded, has no colours or not exactly these.
    """
    with _opened(path) as image:
        bits = _load_labels(image, path)
        if image.mode not in ("RGB", "RGBA", "P"):
            raise UserError(f"{path} is an image of mode {image.mode}: its class map needs RGB colours")
        if bits == 16:
            raise UserError(f"{path} has 16 bits per colour: {_AS_PNG} of 8 bits")
        return np.array(image.convert("RGB"))


def describe_format(path: Path) -> str:
    """Say in a few words how a file stores its pixels, e.g. "PNG L"; raises UserError for no image."""
    with _opened(path) as image:
        return f"{image.format} {image.mode}"


def _load_labels(image: Image.Image, path: Path) -> int:
    """Decode a label file and return its number of bits per value (8: usual).

    :raises UserError: if it is damaged, of a format that changes values, or to be turned.
    """
    bits = _check_label_format(image, path)
    _load(image, path)
    if orientation(image) != 1:
        raise UserError(
            f"{path} is to be turned by its EXIF orientation, which labels cannot be: save it upright as PNG"
        )
    return bits


def _check_label_format(image: Image.Image, path: Path) -> int:
    """Refuse a label file whose values Pillow would change; return its number of bits per value (8: usual).

    :param image: opened but not loaded yet, so that its parts are still described.
    :raises UserError: naming the file and what to do.
    """
    if image.format == "PNG":
        return _png_bits(path)
    problem = _REFUSALS[image.format](image, path) if image.format in _REFUSALS else f"is {image.format}"
    if problem:
        raise UserError(f"{path} {problem}, which does not keep label values: {_AS_PNG}")
    return 16 if image.mode.startswith("I;16") else 8


def _png_bits(path: Path) -> int:
    """Return the bits per channel that a PNG's first chunk states, after signature, length, type and size."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _bmp_problem(image: Image.Image, path: Path) -> str:
    """Say what is wrong with a BMP as labels: Pillow maps palettes of two greys and of fewer than 8 bits."""
    with path.open("rb") as file:
        bits = struct.unpack_from("<H", file.read(30), 28)[0]
    return "" if bits in (8, 24, 32) and image.mode != "1" else f"is BMP of {bits} bits or two greys"


def _ppm_problem(image: Image.Image, _: Path) -> str:
    """Say what is wrong with a PGM or PPM as labels: Pillow stretches a largest value other than 255."""
    plain = image.mode in ("L", "RGB") and image.tile[0].codec_name == "raw"  # type: ignore[attr-defined]
    return "" if plain else "is a PBM, PGM or PPM with another largest value than 255"


def _tiff_problem(image: Image.Image, _: Path) -> str:
    """Say what is wrong with a TIFF as labels: lossy compression, few bits, inverted grey, several pages."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    compression, photometric = tags.get(259, 1), tags.get(262, 1)
    bits = tags.get(258, (1,))
    if compression not in _TIFF_LOSSLESS:
        return "is TIFF with lossy compression"
    if photometric not in (1, 2, 3) or set(bits) - {8, 16} or image.mode.startswith("I;16B"):
        return f"is TIFF of {'/'.join(map(str, bits))} bits in an unusual order"
    return "" if getattr(image, "n_frames", 1) == 1 else "is TIFF of several pages"


def _webp_problem(_: Image.Image, path: Path) -> str:
    """Say what is wrong with a WebP as labels: only its lossless kind, of one picture, keeps colours."""
    with path.open("rb") as file:
        data = file.read()
    kinds, position = [], 12
    while position + 8 <= len(data):
        kinds.append(data[position : position + 4])
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + length + length % 2
    return "" if kinds.count(b"VP8L") == 1 and b"ANIM" not in kinds else "is lossy WebP"


_REFUSALS: Final = {"BMP": _bmp_problem, "PPM": _ppm_problem, "TIFF": _tiff_problem, "WEBP": _webp_problem}
"""By format, the function that says why labels cannot be read from a file; formats that are not here lose
values."""


@contextlib.contextmanager
def _decoded(path: Path) -> Any:
    """Open and decode a whole image file: Pillow, unlike OpenCV, reports a truncated one."""
    with _opened(path) as image:
        _load(image, path)
        yield image


@contextlib.contextmanager
def _opened(path: Path) -> Any:
    """Open an image file without decoding it; raises UserError if it is none."""
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise UserError(f"cannot read the image {path}: it is a folder, a pipe or a device, not a file")
    try:
        image = Image.open(path)
    except UnidentifiedImageError as error:
        raise UserError(f"cannot read the image {path}: it has no image format known here") from error
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    with image:
        yield image


def _load(image: Image.Image, path: Path) -> None:
    """Decode all pixels of an opened image; raises UserError if it is damaged."""
    try:
        image.load()
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


_DAMAGE: Final = (OSError, SyntaxError, ValueError, struct.error, EOFError, Image.DecompressionBombError)
"""What Pillow raises for files that are damaged or too large."""


def _unreadable(path: Path, error: BaseException) -> UserError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return UserError(f"cannot read the image {path}: {reason}")
