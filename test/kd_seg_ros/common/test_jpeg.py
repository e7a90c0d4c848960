"""Whether damage is noticed, sizes are believed, and good files of all kinds are decoded as Pillow does."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kd_seg_ros.common import jpeg
from kd_seg_ros.common.jpeg import decode_jpeg, read_header
from kd_seg_ros.common.picture import DamagedImageError, DecodeError, DecodeOptions

DEFAULTS = DecodeOptions()


def scene() -> NDArray[np.uint8]:
    """A picture with edges and some noise, BGR [120, 160, 3]."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + random.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)


SCENE = scene()
PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = (cv2.IMWRITE_JPEG_RST_INTERVAL, 4)


def encoded(image: NDArray[np.uint8] = SCENE, *options: int) -> bytes:
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def by_pillow(data: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[..., ::-1].astype(int)


def saved_by_pillow(mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(SCENE[..., ::-1]).convert(mode).save(buffer, "jpeg", **options)
    return buffer.getvalue()


def segments(data: bytes) -> list[bytes]:
    """Split into the start marker, the segments of the header, and the scan with all after it."""
    found, at = [data[:2]], 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append(data[at : at + length])
        at += length
    return [*found, data[at:]]


def with_size(data: bytes, height: int, width: int) -> bytes:
    """Change the size that the header states."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 4 :]


needs_simplejpeg = pytest.mark.skipif(jpeg._library() is None, reason="simplejpeg is not installed")


@pytest.mark.parametrize(
    "data",
    [
        encoded(),
        encoded(SCENE[:113, :151].copy()),
        encoded(SCENE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422),
        encoded(SCENE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
        encoded(SCENE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
        encoded(SCENE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        encoded(SCENE, *PROGRESSIVE),
        encoded(SCENE, *RESTARTS),
        saved_by_pillow(keep_rgb=True),
        saved_by_pillow(exif=b"Exif\0\0" + bytes(60), icc_profile=bytes(70_000), comment=b"\xff\xda\xff\xd9"),
    ],
    ids=["420", "odd", "422", "411", "440", "444", "progressive", "restarts", "rgb", "segments"],
)
def test_good_files_are_decoded_as_pillow_does(data: bytes) -> None:
    pixels = decode_jpeg(data, DEFAULTS)
    reference = by_pillow(data)
    assert pixels.shape == reference.shape
    assert np.abs(pixels - reference).mean() < 2
    assert read_header(data)[:4] == (*reference.shape[:2], 3, 8)


def test_grey_and_inks() -> None:
    grey = saved_by_pillow("L")
    pixels = decode_jpeg(grey, DEFAULTS)
    assert pixels.shape == (120, 160)
    assert np.abs(pixels - by_pillow(grey)[..., 0]).max() <= 1
    inks = saved_by_pillow("CMYK")
    assert np.abs(decode_jpeg(inks, DEFAULTS) - by_pillow(inks)).mean() < 2


@needs_simplejpeg
def test_the_same_pixels_as_opencv() -> None:
    data = encoded()
    mine = decode_jpeg(data, DEFAULTS)
    np.testing.assert_array_equal(mine, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


def test_motion_jpeg_without_huffman_tables() -> None:
    data = encoded()
    bare = b"".join(part for part in segments(data) if part[:2] != b"\xff\xc4")
    assert len(bare) < len(data)
    np.testing.assert_array_equal(decode_jpeg(bare, DEFAULTS), decode_jpeg(data, DEFAULTS))


@needs_simplejpeg
@pytest.mark.parametrize("lacking", [1, 2])
def test_a_file_without_its_end_marker_is_usable(lacking: int) -> None:
    np.testing.assert_array_equal(
        decode_jpeg(encoded()[:-lacking], DEFAULTS), decode_jpeg(encoded(), DEFAULTS)
    )


@pytest.mark.parametrize("filling", [b"\0" * 3, b"\0" * 500, b"\xff" * 500])
def test_some_cameras_fill_up_before_the_end_marker(filling: bytes) -> None:
    data = encoded()
    filled = data[:-2] + filling + data[-2:] + bytes(100)
    np.testing.assert_array_equal(decode_jpeg(filled, DEFAULTS), decode_jpeg(data, DEFAULTS))


@needs_simplejpeg
@pytest.mark.parametrize("end", [b"", b"\xff\xd9", bytes(500) + b"\xff\xd9"])
@pytest.mark.parametrize(
    "options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 4)]
)
@pytest.mark.parametrize("kept", [0.3, 0.5, 0.9])
def test_a_file_cut_short_is_refused(kept: float, options: tuple[int, ...], end: bytes) -> None:
    data = encoded(SCENE, *options)
    with pytest.raises(DecodeError, match=r"cut short|damaged"):
        decode_jpeg(data[: int(kept * len(data))] + end, DEFAULTS)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_progressive_file_cut_between_two_scans_is_refused(mode: str) -> None:
    """libjpeg takes what is left for a whole picture, of a lower quality."""
    whole = saved_by_pillow(mode, progressive=True)
    assert read_header(whole).progressive
    decode_jpeg(whole, DEFAULTS)
    decode_jpeg(whole[:-2], DEFAULTS)  # only the end marker is missing
    scans = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    assert len(scans) > 4
    for scan in scans[1:]:
        # Tables stand in front of a scan; cut there or within the head of the scan, nothing else is amiss.
        for end in (whole.rindex(b"\xff\xc4", 0, scan), scan, scan + 4, scan + 7):
            with pytest.raises(DamagedImageError, match="cut short"):
                decode_jpeg(whole[:end], DEFAULTS)
        assert decode_jpeg(whole[:scan], DEFAULTS, strict=False).shape[:2] == SCENE.shape[:2]


@needs_simplejpeg
def test_most_damage_is_noticed_and_nothing_is_said_on_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = encoded()
    start = len(data) - len(segments(data)[-1]) + 20
    unnoticed, messages = 0, []
    for seed in range(100):
        random = np.random.default_rng(seed)
        damaged = bytearray(data)
        for at in random.choice(np.arange(start, len(data) - 2), 4, replace=False):
            damaged[at] ^= random.integers(1, 256)
        try:
            pixels = decode_jpeg(bytes(damaged), DEFAULTS)
        except DecodeError as error:
            messages.append(str(error))
        else:
            unnoticed += 1
            assert pixels.shape == SCENE.shape
    assert not any("\n" in text for text in messages)
    assert unnoticed <= 10  # some bytes make another valid picture: no decoder can know
    assert capfd.readouterr() == ("", "")


@needs_simplejpeg
def test_a_lost_piece_between_two_restart_markers_is_noticed() -> None:
    data = encoded(SCENE, *RESTARTS)
    first, second = data.index(b"\xff\xd2"), data.index(b"\xff\xd3")
    with pytest.raises(DecodeError, match="damaged"):
        decode_jpeg(data[:first] + data[second:], DEFAULTS)


@pytest.mark.parametrize("size", [(30000, 30000), (65535, 65535), (5001, 5000)])
def test_a_claimed_size_is_refused_from_the_header(size: tuple[int, int]) -> None:
    with pytest.raises(DecodeError, match=f"{size[1]}×{size[0]} is above the limit of 25 megapixels"):
        decode_jpeg(with_size(encoded(), *size), DEFAULTS)


def test_the_limit_is_the_callers() -> None:
    with pytest.raises(DecodeError, match=r"160×120 is above the limit of 0\.0191 megapixels"):
        decode_jpeg(encoded(), DecodeOptions(max_megapixels=0.0191))
    assert decode_jpeg(encoded(), DecodeOptions(max_megapixels=0.0192)).shape == SCENE.shape
    with pytest.raises(DecodeError, match="empty"):
        decode_jpeg(with_size(encoded(), 0, 160), DEFAULTS)


def test_a_claimed_size_takes_no_memory() -> None:
    """In a process that may have half a gigabyte: the claimed pixels would be 2.7 GB."""
    claim = with_size(encoded(), 30000, 30000)
    code = (
        "import sys; from kd_seg_ros.common.jpeg import decode_jpeg\n"
        "from kd_seg_ros.common.picture import DecodeOptions, DecodeError\n"
        "try: decode_jpeg(sys.stdin.buffer.read(), DecodeOptions())\n"
        "except DecodeError as error: print(error)\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"  # the peak, in kB
    )
    done = subprocess.run([sys.executable, "-c", code], input=claim, capture_output=True, check=True)
    message, peak = done.stdout.decode().splitlines()
    assert "above the limit" in message
    assert int(peak) < 500_000


def test_too_many_scans() -> None:
    data = encoded(SCENE, *PROGRESSIVE)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(DecodeError, match="has 510 scans"):
        decode_jpeg(data[:-2] + data[last:-2] * 500 + data[-2:], DEFAULTS)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xe0\0\x01",
        b"\xff\xd8\xff\xe0\xff\xff" + bytes(100),
        b"\xff\xd8\xff\xc0\0\x04\x08\x01",
        b"\xff\xd8" + b"\xff" * 1000,
        encoded().replace(b"\xff\xc0", b"\xff\xfe"),
        encoded()[:100] + b"\0" + encoded()[100:],
        encoded().replace(b"\xff\xdb", b"\0\xff\xdb", 1),
    ],
)
def test_headers_that_are_none(data: bytes) -> None:
    with pytest.raises(DecodeError, match=r"damaged|cut short"):
        decode_jpeg(data, DEFAULTS)


def test_12_bits() -> None:
    data = encoded()
    at = data.index(b"\xff\xc0") + 4
    with pytest.raises(DecodeError, match="12 bits per channel"):
        decode_jpeg(data[:at] + b"\x0c" + data[at + 1 :], DEFAULTS)


def test_without_simplejpeg_good_files_are_decoded_and_cut_ones_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    jpeg._library.cache_clear()
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    try:
        for _ in range(2):
            assert np.abs(decode_jpeg(encoded(), DEFAULTS) - by_pillow(encoded())).mean() < 2
        assert [record.message for record in caplog.records] == [
            "damaged JPEG images are not noticed: simplejpeg is missing (pip install simplejpeg)"
        ]
        with pytest.raises(DecodeError, match="cut short"):
            decode_jpeg(encoded()[:-9], DEFAULTS)
        with pytest.raises(DecodeError, match="above the limit"):
            decode_jpeg(with_size(encoded(), 30000, 30000), DEFAULTS)
    finally:
        jpeg._library.cache_clear()
