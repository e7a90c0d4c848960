"""JPEG images: their size before memory is taken for them, and whether they are damaged.

OpenCV decodes a damaged JPEG to a picture like any other: libjpeg fills what it cannot read with grey and
says so on standard error, where a program does not hear it. ``simplejpeg`` (the interface of libjpeg-turbo in
a small wheel) raises on these warnings, gives the same pixels and takes no longer. Where it is not installed,
OpenCV decodes, and one warning says that damage goes unnoticed.
"""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.picture import DamagedImageError, DecodeError, DecodeOptions, check_size

LOGGER = logging.getLogger(__name__)

SIGNATURE: Final = b"\xff\xd8"

_END: Final = b"\xff\xd9"
_SCAN: Final = b"\xff\xda"
_MOST_SCANS: Final = 50
"""Largest number of scans. Encoders write about ten, each costs time over the whole picture, and a few bytes
can ask for thousands."""
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segment that holds the size; the three left out are tables and an extension."""
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
"""Those of them whose scans send the coefficients piece by piece."""
_COEFFICIENTS: Final = 64
"""Numbers per block of 8×8 pixels."""
_WITHOUT_LENGTH: Final = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers that no segment follows; none of them can stand between the segments of a header."""


class JpegHeader(NamedTuple):
    """What a JPEG says of itself before its first scan."""

    height: int
    width: int
    channels: int
    """1: grey; 3: colours; 4: inks (CMYK)."""
    bits: int
    """Bits per channel."""
    exif: bytes
    """Content of the first Exif segment, a TIFF structure; empty if there is none."""
    progressive: bool = False
    """The scans send the coefficients piece by piece, from coarse to fine."""
    scan: int = 0
    """Where the first scan begins, in bytes."""


def read_header(data: bytes) -> JpegHeader:
    """Walk over the segments up to the first scan.

    :raises DecodeError: if they are not those of a JPEG.
    """
    found: JpegHeader | None = None
    exif, position = b"", len(SIGNATURE)
    while True:
        start = position
        while data[position : position + 1] == b"\xff":  # one, and perhaps more to fill up
            position += 1
        segment = position + 3
        if position == start or segment > len(data) or data[position] in _WITHOUT_LENGTH:
            raise DecodeError(f"the JPEG is damaged: no segment at byte {start} of {len(data)}")
        marker, length = data[position], int.from_bytes(data[position + 1 : segment], "big")
        position += 1 + length
        if length < 2 or position > len(data):
            raise DecodeError(f"the JPEG is damaged or cut short: segment at byte {start} of {len(data)}")
        if marker == 0xDA:
            break
        if marker in _FRAME_MARKERS:
            if length < 8:
                raise DecodeError(f"the JPEG is damaged: segment at byte {start} of {len(data)}")
            size = [int.from_bytes(data[segment + at : segment + at + 2], "big") for at in (1, 3)]
            progressive = marker in _PROGRESSIVE
            found = JpegHeader(size[0], size[1], data[segment + 5], data[segment], b"", progressive)
        if marker == 0xE1 and not exif and data.startswith(b"Exif\0\0", segment):
            exif = data[segment + 6 : position]
    if found is None:
        raise DecodeError("the JPEG is damaged: it does not say its size")
    return found._replace(exif=exif, scan=start)


def decode_jpeg(data: bytes, options: DecodeOptions, strict: bool = True) -> NDArray[np.uint8]:
    """Decode to uint8 [H, W] for a grey image, else [H, W, 3] in BGR. Exif's orientation is left alone.

    :param strict: refuse damage after the header; else grey, or other colours, stand where it is.
    :raises DamagedImageError: if the image is damaged or cut short after its header.
    :raises DecodeError: if it is damaged before, above the limit or of more than 8 bits.
    """
    header = read_header(data)
    check_size(header.height, header.width, options)
    if header.bits != 8:
        raise DecodeError(f"the JPEG has {header.bits} bits per channel: convert it to 8")
    scans = data.count(_SCAN)
    if scans > _MOST_SCANS:
        raise DecodeError(f"the JPEG has {scans} scans, more than {_MOST_SCANS}: it would take too long")
    library = _library()
    if library is None:
        return _decode_by_opencv(data)
    colours = {1: "GRAY", 4: "CMYK"}.get(header.channels, "BGR")
    if strict and header.progressive and not _is_ended(data) and _lacks_scans(data, header):
        raise DamagedImageError(f"the JPEG is cut short after {len(data)} bytes: its last scans are missing")
    pixels = _decode(library, data, colours, strict)
    if header.channels == 4:
        return _inks_to_bgr(pixels)
    return pixels[..., 0] if header.channels == 1 else pixels


def _decode(library: ModuleType, data: bytes, colours: str, strict: bool) -> NDArray[np.uint8]:
    """Decode; if ``strict``, raise :class:`DamagedImageError` for whatever libjpeg-turbo complains of."""
    end, ended = data.rfind(_END), _is_ended(data)
    if not ended:
        # Only the end marker may be missing: with one added, libjpeg knows whether the picture is there.
        data += _END
    elif data.endswith(b"\0", 0, end):
        # Some cameras fill up with zeros before the end marker; a scan itself hardly ever ends so.
        try:
            return np.asarray(library.decode_jpeg(_without_zeros(data[:end]) + _END, colours))
        except ValueError:
            pass  # there is more amiss, which the decoder says below
    try:
        return np.asarray(library.decode_jpeg(data, colours, strict=strict))
    except ValueError as error:
        reason = first_line(error).removeprefix("Corrupt JPEG data: ")
        state = "damaged" if ended else "cut short or damaged"
        raise DamagedImageError(f"the JPEG of {len(data)} bytes is {state}: {reason}") from error


def _is_ended(data: bytes) -> bool:
    """Return whether an end marker follows the last scan; neither can occur inside a scan."""
    return data.rfind(_END) > data.rfind(_SCAN)


def _lacks_scans(data: bytes, header: JpegHeader) -> bool:
    """Return whether scans of a progressive JPEG are missing, of which the decoder does not complain.

    Each scan sends some coefficients of some components down to a bit of some worth. Together they send all
    of them down to bit 0, in every picture that an encoder has finished (ITU T.81, B.2.3 and G.1.1.1).
    """
    bits: dict[int, list[int]] = {}
    position = header.scan
    while position >= 0:
        count = data[position + 4] if position + 4 < len(data) else 0
        parameters = data[position + 5 : position + 8 + 2 * count]
        if len(parameters) < 3 + 2 * count:
            return True  # cut within the head of a scan
        first, last, approximation = parameters[-3:]
        for component in parameters[:-3:2]:
            sent = bits.setdefault(component, [-1] * _COEFFICIENTS)
            for coefficient in range(first, min(last + 1, _COEFFICIENTS)):
                sent[coefficient] = approximation & 15
        position = data.find(_SCAN, position + 2)
    return len(bits) < header.channels or any(any(sent) for sent in bits.values())


def _without_zeros(scan: bytes) -> bytes:
    """Remove the zeros at the end, but for the one that belongs to a byte of FF."""
    kept = scan.rstrip(b"\0")
    return kept + b"\0" if kept.endswith(b"\xff") else kept


def _decode_by_opencv(data: bytes) -> NDArray[np.uint8]:
    """Decode without learning of damage, except that the end is missing."""
    end, scan = data.rfind(_END), data.rfind(_SCAN)
    if end < scan:
        raise DecodeError(f"the JPEG is cut short after {len(data)} bytes")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DecodeError(f"the JPEG cannot be decoded: {error.err}") from error
    if pixels is None:
        raise DecodeError("the JPEG is damaged")
    return np.asarray(pixels, np.uint8)


def _inks_to_bgr(inks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mix colours of cyan, magenta, yellow and black, [H, W, 4], stored inverted as all encoders do.

    Each of red, green and blue is what its ink and the black let through: C·K/255.
    """
    through = inks[..., :3].astype(np.uint16) * inks[..., 3:] + 127
    return np.ascontiguousarray((through // 255).astype(np.uint8)[..., ::-1])


@cache
def _library() -> ModuleType | None:
    """Import simplejpeg; warn once and return None where that fails."""
    try:
        import simplejpeg
    except ImportError:
        LOGGER.warning("damaged JPEG images are not noticed: simplejpeg is missing (pip install simplejpeg)")
        return None
    module: ModuleType = simplejpeg
    return module
