"""Bags of image files and videos, read back by rosbags, and played to a subscriber."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from acdc_tree import write_acdc, write_png
from demo_drive import ROOT, read_bag, stamp_of
from numpy.typing import NDArray
from PIL import Image
from rosbags.rosbag2 import Reader

from distill.commands.make_bag import main
from kd_seg_ros.common.decode import decode_compressed

START = 1_700_000_000 * 10**9
CAMERA = "/camera/image_raw"


def noise(number: int, size: tuple[int, int] = (12, 20)) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)


def run(source: Path, out: Path, *options: object) -> int:
    return main(list(map(str, [source, "--out", out, *options])))


def folder_of(path: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        write_png(path / name, noise(number))
    return path


def pixels(message: Any) -> NDArray[np.uint8]:
    return np.asarray(message.data, np.uint8).reshape(message.height, message.width, -1)


def times(bag: Path, topic: str = CAMERA) -> list[float]:
    """Stamps after the first, in seconds."""
    stamps = [stamp_of(message) for message in read_bag(bag)[topic]]
    return [(stamp - stamps[0]) / 1e9 for stamp in stamps]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_frame_numbers_tell_the_time(tmp_path: Path, storage: str) -> None:
    names = [f"GOPR0475_frame_{n:06d}_rgb_anon.png" for n in (41, 42, 60)]
    source = folder_of(tmp_path / "fog" / "GOPR0475", *names)
    options = ("--hertz", "20", "--storage", storage, "--frame-id", "front")
    assert run(source, tmp_path / "bag", *options) == 0
    found = read_bag(tmp_path / "bag")
    assert times(tmp_path / "bag") == [0.0, 0.05, 0.95]
    assert stamp_of(found[CAMERA][0]) == START
    for number, message in enumerate(found[CAMERA]):
        np.testing.assert_array_equal(pixels(message), noise(number))
        assert (message.encoding, message.header.frame_id) == ("rgb8", "front")
    assert [m.data for m in found["/camera/frame_name"]] == names
    assert [m.data for m in found["/camera/condition"]] == ["fog"] * 3
    with Reader(tmp_path / "bag") as reader:
        log_times = {t for _, t, _ in reader.messages()}
        (qos,) = reader.connections[0].ext.offered_qos_profiles  # type: ignore[union-attr]
    assert log_times == {START + round(t * 1e9) for t in (0.0, 0.05, 0.95)}
    assert qos.reliability.name == "RELIABLE"
    content = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())
    assert content["rosbag2_bagfile_information"]["version"] == 8


@pytest.mark.parametrize(
    ("names", "options", "expected"),
    [
        (["2.png", "10.png", "1.png"], [], {"1.png": 0.0, "2.png": 0.1, "10.png": 0.9}),
        (["2.png", "10.png"], ["--consecutive"], {"2.png": 0.0, "10.png": 0.1}),
        (["b.png", "a.png"], [], {"a.png": 0.0, "b.png": 0.1}),
        (["x5_front.png", "y5_front.png"], [], {"x5_front.png": 0.0, "y5_front.png": 0.1}),  # none rises
        (["a/8.png", "a/9.png", "b/3.png"], [], {"a/8.png": 0.0, "a/9.png": 0.1, "b/3.png": 1.1}),
        (["1.png", "2.png", "3.png"], ["--limit", "2"], {"1.png": 0.0, "2.png": 0.1}),
    ],
)
def test_order_and_times(
    names: list[str], options: list[str], expected: dict[str, float], tmp_path: Path
) -> None:
    assert run(folder_of(tmp_path / "images", *names), tmp_path / "bag", *options) == 0
    found = [message.data for message in read_bag(tmp_path / "bag")["/camera/frame_name"]]
    assert dict(zip(found, times(tmp_path / "bag"), strict=True)) == pytest.approx(expected)


def test_compressed_files_go_in_byte_for_byte(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "images", "1.png")
    cv2.imwrite(str(source / "2.jpg"), noise(1)[..., ::-1])
    assert run(source, tmp_path / "bag", "--compressed") == 0
    png, jpeg = read_bag(tmp_path / "bag")[f"{CAMERA}/compressed"]
    assert (png.format, jpeg.format) == ("png", "jpeg")
    assert bytes(png.data) == (source / "1.png").read_bytes()
    assert bytes(jpeg.data) == (source / "2.jpg").read_bytes()
    np.testing.assert_array_equal(decode_compressed(png), noise(0))


def test_a_video_keeps_its_rate(tmp_path: Path) -> None:
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    shades = (0, 90, 180)
    for shade in shades:
        writer.write(np.full((48, 64, 3), (shade, 0, 0), np.uint8))  # BGR
    writer.release()
    for bag, options, period in (("a", [], 0.04), ("b", ["--hertz", "10", "--compressed"], 0.1)):
        assert run(film, tmp_path / bag, *options, "--condition", "rain") == 0
        topic = CAMERA + ("/compressed" if options else "")
        found = read_bag(tmp_path / bag)
        assert times(tmp_path / bag, topic) == pytest.approx([0.0, period, 2 * period])
        assert {m.data for m in found["/camera/condition"]} == {"rain"}
        for message, shade in zip(found[topic], shades, strict=True):
            image = decode_compressed(message) if options else pixels(message)
            assert abs(int(image[20, 20, 2]) - shade) < 12


CALIBRATION = {
    "image_width": 20,
    "image_height": 12,
    "camera_name": "front",
    "camera_matrix": {"rows": 3, "cols": 3, "data": [10.0, 0, 9.5, 0, 11.0, 5.5, 0, 0, 1]},
    "distortion_model": "plumb_bob",
    "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1, -0.2, 0, 0, 0]},
    "rectification_matrix": {"rows": 3, "cols": 3, "data": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
    "projection_matrix": {"rows": 3, "cols": 4, "data": [10, 0, 9.5, 0, 0, 11, 5.5, 0, 0, 0, 1, 0]},
}


def test_a_calibration_becomes_camera_info(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "images", "1.png", "2.png")
    file = tmp_path / "camera.yaml"
    file.write_text(yaml.safe_dump(CALIBRATION))
    assert run(source, tmp_path / "bag", "--calibration", file) == 0
    found = read_bag(tmp_path / "bag")
    for info, image in zip(found["/camera/camera_info"], found[CAMERA], strict=True):
        assert info.header == image.header
        assert (info.height, info.width, info.distortion_model) == (12, 20, "plumb_bob")
        assert (info.k[0], info.k[4], info.d[1], info.p[6]) == (10.0, 11.0, -0.2, 5.5)


def test_without_a_calibration_camera_info_has_the_size_and_says_that_there_is_none(tmp_path: Path) -> None:
    assert run(folder_of(tmp_path / "images", "1.png"), tmp_path / "bag") == 0
    (info,) = read_bag(tmp_path / "bag")["/camera/camera_info"]
    assert (info.height, info.width) == (12, 20)
    assert not info.k.any()
    assert not info.p.any()


def test_labels_of_acdc(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    root = write_acdc(tmp_path / "acdc", conditions=("night",), splits=("val",), label_kind="labelIds")
    ids = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20) % 34
    write_png(next(root.rglob("*_000000_gt_labelIds.png")), ids)
    next(root.rglob("*_000001_gt_labelIds.png")).unlink()
    assert run(root / "rgb_anon" / "night", tmp_path / "bag", "--acdc", root) == 0
    found = read_bag(tmp_path / "bag")
    (labels,) = found["/camera/labels"]
    assert labels.header == found[CAMERA][0].header
    assert len(found[CAMERA]) == 2
    cityscapes = [7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33]
    expected = np.array([cityscapes.index(i) if i in cityscapes else 255 for i in ids.ravel()])
    np.testing.assert_array_equal(labels.data, expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("none", [], "none: no such folder"),
        ("empty", [], "no .png, .jpg, .jpeg files in it"),
        ("notes.txt", [], "neither a folder of images nor a video"),
        ("broken", [], "x.png: the compressed image"),
        ("broken", ["--compressed"], "x.png: the compressed image"),
        ("deep", [], "1.png: the PNG has more than 8 bits per channel"),
        ("deep", ["--compressed"], "1.png: the PNG has more than 8 bits per channel"),
        ("good", ["--max-image-megapixels", "0.0001"], "1.png: an image of 20×12 is above the limit"),
        ("good", ["--white-level", "65536"], "must be a whole number within 1…65535, not 65536"),
        ("dates", [], "20240102030406.png: a stamp of"),
        ("good", ["--calibration", "none.yaml"], "--calibration none.yaml cannot be read"),
        ("good", ["--calibration", "{p}/half.yaml"], "not a file of camera_calibration: 'distortion_model'"),
        ("good", ["--calibration", "{p}/large.yaml"], "--calibration is for 40×12 images; 1.png is 20×12"),
        ("good", ["--acdc", "{p}/empty"], "has none of the folders rgb_anon"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_nothing(
    name: str, options: list[str], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no film")
    folder_of(tmp_path / "good", "1.png")
    (folder_of(tmp_path / "broken", "1.png") / "x.png").write_bytes(b"no image")
    (tmp_path / "deep").mkdir()
    cv2.imwrite(str(tmp_path / "deep" / "1.png"), np.zeros((4, 6, 3), np.uint16))
    folder_of(tmp_path / "dates", "20230102030405.png", "20240102030406.png")
    half = {key: CALIBRATION[key] for key in ("image_width", "image_height")}
    (tmp_path / "half.yaml").write_text(yaml.safe_dump(half))
    (tmp_path / "large.yaml").write_text(yaml.safe_dump(CALIBRATION | {"image_width": 40}))
    before = sorted(tmp_path.iterdir())
    assert run(tmp_path / name, tmp_path / "bag", *(o.format(p=tmp_path) for o in options)) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("digits", "unit"), [(19, 1), (16, 1_000), (13, 1_000_000)])
def test_names_that_are_times_are_taken_as_such(tmp_path: Path, digits: int, unit: int) -> None:
    first = 1_403_636_579_763_555_584 // unit
    assert len(str(first)) == digits
    source = folder_of(tmp_path / "images", *(f"{first + n * 50_000_000 // unit}.png" for n in range(3)))
    assert run(source, tmp_path / "bag") == 0
    assert times(tmp_path / "bag") == [0.0, 0.05, 0.1]


def test_compressed_images_are_as_the_node_decodes_them(tmp_path: Path) -> None:
    """Turned by its EXIF entry or not: camera_info has the size that comes of the message."""
    image = pytest.importorskip("PIL.Image").fromarray(noise(0))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90°
    (tmp_path / "images").mkdir()
    image.save(tmp_path / "images" / "1.jpg", exif=exif)
    assert run(tmp_path / "images", tmp_path / "bag", "--compressed") == 0
    found = read_bag(tmp_path / "bag")
    (message,), (info,) = found[f"{CAMERA}/compressed"], found["/camera/camera_info"]
    assert decode_compressed(message).shape[:2] == (info.height, info.width)


def test_nothing_is_overwritten(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = folder_of(tmp_path / "images", "1.png")
    (tmp_path / "bag").mkdir()
    assert run(source, tmp_path / "bag") == 2
    assert f"{tmp_path / 'bag'} is there already" in capfd.readouterr().err


@pytest.mark.parametrize(
    "option",
    [["--hertz", "0"], ["--limit", "0"], ["--topic", "image"], ["--start", "5e9"], ["--start", "nan"]],
)
def test_bad_options(option: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["x", "--out", "y", *option]) == 2
    assert option[0] in capfd.readouterr().err


def test_play_bag_plays_it(tmp_path: Path) -> None:
    pytest.importorskip("rclpy")
    from dds import Client
    from patient_process import LONG

    names = [f"frame_{n:03d}.png" for n in range(5)]
    assert run(folder_of(tmp_path / "images", *names), tmp_path / "bag", "--topic", "/made/image_raw") == 0
    client = Client("made")
    images = client.collect("image_raw")
    command = [
        sys.executable,
        "-m",
        "kd_seg_ros.playback.play_bag",
        str(tmp_path / "bag"),
        "--wait",
        str(LONG),
    ]
    player = subprocess.Popen([*command, "--topics", "/made/image_raw"], cwd=ROOT)
    try:
        assert client.spin_until(lambda: len(images) == 5, 2 * LONG)
        assert player.wait(LONG) == 0
    finally:
        player.kill()
        player.wait()
        client.close()
    for number, message in enumerate(images):
        np.testing.assert_array_equal(pixels(message), noise(number))
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        assert stamp == START + number * 10**8


@pytest.mark.parametrize("number", [3, 6])
def test_files_that_exif_calls_turned_are_upright_raw_and_compressed(tmp_path: Path, number: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    smooth = cv2.resize(noise(1), (400, 240), interpolation=cv2.INTER_CUBIC)
    (tmp_path / "in").mkdir()
    Image.fromarray(smooth).save(tmp_path / "in" / "0.jpg", exif=exif, quality=95)
    Image.fromarray(smooth).save(tmp_path / "in" / "1.jpg", quality=95)
    assert run(tmp_path / "in", tmp_path / "raw") == 0
    assert run(tmp_path / "in", tmp_path / "small", "--compressed") == 0
    raw = read_bag(tmp_path / "raw")
    small = read_bag(tmp_path / "small")
    upright = np.rot90(smooth, 2 if number == 3 else -1)
    infos = small["/camera/camera_info"]
    packed_images = small[f"{CAMERA}/compressed"]
    for wanted, message, packed, info in zip(
        (upright, smooth), raw[CAMERA], packed_images, infos, strict=True
    ):
        assert np.abs(pixels(message).astype(int) - wanted).mean() < 4
        np.testing.assert_array_equal(decode_compressed(packed), pixels(message))
        assert (info.height, info.width) == wanted.shape[:2]
    assert small[f"{CAMERA}/compressed"][1].data.tobytes() == (tmp_path / "in" / "1.jpg").read_bytes()
