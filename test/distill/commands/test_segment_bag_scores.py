"""Scores and videos of a segmented bag, against scikit-learn and what OpenCV reads back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from acdc_tree import write_acdc, write_png
from demo_drive import CONDITIONS, PERIOD, START, frame, image_message, read_bag, write_drive, write_messages
from known_scores import known_scores
from sklearn.metrics import jaccard_score
from tiny_model import expected, write_tiny_model

from distill.commands import make_bag
from distill.commands.segment_bag import main
from kd_seg_ros.bags import video
from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE
from kd_seg_ros.common.conditions import CONDITIONS as ACDC_CONDITIONS
from kd_seg_ros.common.errors import UserError

pytest.importorskip("torch")

HEIGHT, WIDTH = 48, 64
CAMERA = "/camera/image_raw"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)


def run(bag: Path, model: Path, out: Path, *options: object) -> int:
    arguments = [bag, "--model", model, "--provider", "cpu", "--out", out, *options]
    return main(list(map(str, arguments)))


def check_scores(scores: dict[str, Any], frames: list[tuple[Any, Any]]) -> None:
    """Compare mIoU and ECE with an independent computation over (image, labels)."""
    known = known_scores(frames)
    assert scores["images"] == len(frames)
    assert scores["miou"] == pytest.approx(known.miou, abs=1e-9)
    assert scores["ece"] == pytest.approx(known.ece, abs=1e-6)


def test_labels_of_a_topic_are_scored_by_condition(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag = write_drive(tmp_path / "bag", 12)
    assert run(bag, model, tmp_path / "out", "--labels-topic", "/camera/labels") == 0
    document = json.loads((tmp_path / "out" / "metrics.json").read_text())
    for condition in ("full", *CONDITIONS):
        numbers = [n for n in range(12) if condition in ("full", CONDITIONS[n * 3 // 12])]
        check_scores(document["scores"][condition], [frame(n) for n in numbers])
    assert document["data"]["labels_topic"] == "/camera/labels"
    assert "no AUPRC" in capfd.readouterr().out  # the tiny model has no scores of all classes
    # The tables that `kd_seg compare` reads; a regression test compares a student with another.
    better = tmp_path / "better" / "metrics.json"
    options = ["--labels-topic", "/camera/labels", "--metrics", better, "--json"]
    assert run(bag, model, tmp_path / "out", *options) == 0
    printed = json.loads(capfd.readouterr().out)
    assert printed["scores"]["full"]["miou"] == document["scores"]["full"]["miou"]
    from distill.evaluation.evaluated_run import check_comparable, read_run

    runs = [read_run(tmp_path / "out" / "metrics.json"), read_run(better)]
    check_comparable(runs)
    assert runs[0].images.names[1] == f"{START // 10**9}.100000000"


class Known:
    """A model that says of every class how probable it is, as `open_onnx` gives it."""

    def __init__(self, model: Path) -> None:
        from distill.evaluation.evaluated_model import open_onnx

        self._model = open_onnx(model, "cpu")
        self.about, self.class_names = self._model.about, self._model.class_names

    def predict(self, image: Any) -> Any:
        import torch

        mask, confidence = expected(image)
        p = torch.from_numpy(np.maximum(confidence, 30) / np.float32(255))
        scores = ((1 - p) / 18).expand(19, *mask.shape).clone()
        scores.scatter_(0, torch.from_numpy(mask.astype(np.int64))[None], p[None])
        return scores.log()


def test_scores_of_all_classes_come_from_a_second_run(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.metrics import log_loss

    from distill.evaluation import evaluated_model

    known = Known(model)
    monkeypatch.setattr(evaluated_model, "open_onnx", lambda *_: known)
    bag = write_drive(tmp_path / "bag", 3)
    assert (
        run(bag, model, tmp_path / "out", "--labels-topic", "/camera/labels", "--min-confidence", "0.5") == 0
    )
    scores = json.loads((tmp_path / "out" / "metrics.json").read_text())["scores"]["full"]
    labels = np.stack([frame(n)[1] for n in range(3)])
    probabilities = np.stack([known.predict(frame(n)[0]).exp().numpy() for n in range(3)])
    valid = labels != 255
    pairs = probabilities.transpose(0, 2, 3, 1)[valid]
    assert scores["nll"] == pytest.approx(log_loss(labels[valid], pairs, labels=range(19)), rel=1e-3)
    assert scores["auprc"]["per_class"]["road"] is not None
    # mIoU is that of the bag, whose unsure pixels have no class; those count as missed.
    masks = np.stack([expected(frame(n)[0])[0] for n in range(3)])
    confidence = np.stack([expected(frame(n)[0])[1] for n in range(3)])
    masks = np.where(confidence / 255 < 0.5, 255, masks)[valid]
    iou = jaccard_score(labels[valid], masks, labels=range(19), average=None)
    assert scores["miou"] == pytest.approx(iou.mean(), abs=1e-9)


@pytest.mark.parametrize("degrees", [90, 180])
def test_a_camera_mounted_turned_is_scored_as_one_that_stands_upright(
    tmp_path: Path, model: Path, degrees: int
) -> None:
    entries = []
    for number in range(3):
        upright_image, upright_labels = frame(number)
        image = np.ascontiguousarray(np.rot90(upright_image, degrees // 90))
        labels = np.ascontiguousarray(np.rot90(upright_labels, degrees // 90))
        entries.append((CAMERA, START + number, image_message(image, START + number)))
        entries.append(("/truth", START + number, image_message(labels, START + number)))
    bag = write_messages(tmp_path / "bag", entries)
    assert run(bag, model, tmp_path / "out", "--labels-topic", "/truth", "--rotate", degrees) == 0
    masks = read_bag(tmp_path / "out")["/segmentation/mask"]
    for number, mask in enumerate(masks):
        assert (mask.height, mask.width) == (HEIGHT, WIDTH)
        pixels = np.asarray(mask.data, np.uint8).reshape(HEIGHT, WIDTH)
        np.testing.assert_array_equal(pixels, expected(frame(number)[0])[0])
    document = json.loads((tmp_path / "out" / "metrics.json").read_text())
    check_scores(document["scores"]["full"], [frame(number) for number in range(3)])


def with_labels(path: Path, stamps: list[int], labels: Any) -> Path:
    entries = [(CAMERA, START + n, image_message(frame(n)[0], START + n)) for n in range(3)]
    entries += [("/truth", START + 9, image_message(labels, stamp)) for stamp in stamps]
    return write_messages(path, entries)


@pytest.mark.parametrize(
    ("stamps", "change", "message"),
    [
        ([START + 7, START + 8], lambda m: m, "none of its 2 header stamps is that of an image"),
        ([START + 1], lambda m: m[:-1], "labels of .47, 64. for an image of .48, 64."),
        ([START + 1], lambda m: np.stack([m] * 3, -1), "encoding 'rgb8' instead of 'mono8'"),
        ([START + 1], lambda m: np.full_like(m, 77), "labels of frame 2 .*hold values other than 0…18"),
    ],
)
def test_labels_that_do_not_match_are_one_clear_error(
    stamps: list[int], change: Any, message: str, tmp_path: Path, model: Path, capfd: Any
) -> None:
    bag = with_labels(tmp_path / "bag", stamps, change(frame(1)[1]))
    assert run(bag, model, tmp_path / "out", "--labels-topic", "/truth") == 2
    (line,) = [li for li in capfd.readouterr().err.splitlines() if li.startswith("error:")]
    assert re.search(message, line), line


def test_some_frames_may_have_labels_and_labels_of_no_frame_are_told(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bag = with_labels(tmp_path / "bag", [START + 1, START + 50], frame(1)[1])
    assert (
        run(bag, model, tmp_path / "out", "--labels-topic", "/truth", "--metrics", tmp_path / "m.json") == 0
    )
    assert "1 labels belong to no image" in capfd.readouterr().err
    scores = json.loads((tmp_path / "m.json").read_text())["scores"]
    check_scores(scores["full"], [frame(1)])
    assert set(scores) == {"full", "unknown"}  # the bag does not say the weather


def test_acdc_labels_are_found_by_the_names_of_the_frames(tmp_path: Path, model: Path) -> None:
    root = write_acdc(tmp_path / "acdc", splits=("train", "val"), frames=2, size=(HEIGHT, WIDTH))
    for condition in ACDC_CONDITIONS:  # in ACDC every name occurs once
        for kind, tail in (("rgb_anon", "_rgb_anon.png"), ("gt", "_gt_labelTrainIds.png")):
            for split in ("train", "val"):
                for file in sorted((root / kind / condition / split).rglob("*" + tail)):
                    file.rename(file.with_name(f"{condition}_{split}_{file.name}"))
    bag = tmp_path / "bag"
    assert make_bag.main([str(root / "rgb_anon"), "--out", str(bag)]) == 0
    assert run(bag, model, tmp_path / "out", "--acdc", root) == 0
    scores = json.loads((tmp_path / "out" / "metrics.json").read_text())["scores"]
    for condition in ("full", *ACDC_CONDITIONS):
        folders = ACDC_CONDITIONS if condition == "full" else (condition,)
        frames = []
        for folder in folders:
            for image in sorted((root / "rgb_anon" / folder).rglob("*.png")):
                labels = Path(
                    str(image).replace("rgb_anon", "gt", 1).replace("_rgb_anon.png", "_gt_labelTrainIds.png")
                )
                bgr = np.asarray(cv2.imread(str(image)))
                frames.append((bgr[..., ::-1], cv2.imread(str(labels), cv2.IMREAD_UNCHANGED)))
        check_scores(scores[condition], frames)
    assert run(bag, model, tmp_path / "out", "--acdc", tmp_path) == 2  # no ACDC there


def test_the_video_is_one_that_browsers_play(tmp_path: Path, model: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    bag, film = write_drive(tmp_path / "bag", 12), tmp_path / "films" / "drive.mp4"
    assert run(bag, model, tmp_path / "out", "--video", film) == 0
    told = subprocess.run([ffmpeg, "-i", film], capture_output=True, text=True, check=False).stderr
    assert "Video: h264" in told
    assert "yuv420p" in told
    content = film.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # starts before all of it is there
    reader = cv2.VideoCapture(str(film))
    assert reader.get(cv2.CAP_PROP_FPS) == pytest.approx(1e9 / PERIOD)
    pictures = []
    while (read := reader.read())[0]:
        pictures.append(read[1][..., ::-1].astype(int))
    assert len(pictures) == 12
    caption, row, legend = np.split(pictures[5], [32, 32 + 480])
    assert len(legend) % 2 == 0
    assert legend.max() > 150  # letters and colours, not the empty ground
    assert (row.shape, row.shape[1] % 2) == ((480, 1280, 3), 0)
    assert caption.max() > 150  # something is written there
    image = cv2.resize(frame(5)[0], (640, 480), interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(row[:, :640] - image).mean() < 12  # a lossy code over noise
    assert [f.name for f in film.parent.iterdir()] == ["drive.mp4"]


def test_a_picture_shows_camera_classes_and_caption() -> None:
    image = np.full((20, 40, 3), 100, np.uint8)
    mask = np.full((20, 40), CLASS_NAMES.index("sky"), np.uint8)
    assert video.panel_size(image) == (320, 640)
    shown = video.picture(image, mask, PALETTE, "fog", (320, 640)).astype(int)
    assert shown.shape == (352, 1280, 3)
    assert (shown[32:, :640] == 100).all()
    assert np.abs(shown[32:, 640:] - (100 + np.array(PALETTE[10])) / 2).max() <= 1
    tall = video.picture(image.transpose(1, 0, 2), mask.T, PALETTE, "", (320, 640))
    assert (tall[32:, :230] == 0).all()  # letterboxed
    assert (tall[32:, 250:390] == 100).all()


def test_a_video_without_an_encoder_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"pip install imageio-ffmpeg, or name a \.gif"):
        video.writer_for(Path("x.mp4"))


@pytest.mark.parametrize("name", ["{folder}", "/proc/film.gif", "{folder}/../file/film.mp4"])
def test_a_video_that_cannot_be_written_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "film.gif"
    folder.mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written|is a folder"):
        video.writer_for(Path(name.format(folder=folder)))
    assert not list(folder.iterdir())


def test_a_video_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def pictures() -> Any:
        yield np.zeros((32, 64, 3), np.uint8)
        raise OSError(28, "No space left on device")

    for film in (tmp_path / "film.gif", tmp_path / "film.mp4"):
        write = video.writer_for(film)
        with pytest.raises(UserError, match="cannot be written: no space left on device"):
            write(pictures(), film, 10.0)
    assert not list(tmp_path.iterdir())


def test_labels_whose_frames_share_a_stamp_cannot_be_told_apart(
    tmp_path: Path, model: Path, capfd: Any
) -> None:
    entries = [(CAMERA, START + n, image_message(frame(n)[0], START)) for n in range(2)]
    entries.append(("/truth", START, image_message(frame(0)[1], START)))
    bag = write_messages(tmp_path / "bag", entries)
    assert run(bag, model, tmp_path / "out", "--labels-topic", "/truth") == 2
    assert "have the same header stamp, 1700000000.000000000" in capfd.readouterr().err


def test_labels_in_acdcs_png_that_are_damaged(tmp_path: Path, model: Path, capfd: Any) -> None:
    root = write_acdc(
        tmp_path / "acdc", splits=("train",), conditions=("fog",), frames=1, size=(HEIGHT, WIDTH)
    )
    assert make_bag.main([str(root / "rgb_anon"), "--out", str(tmp_path / "bag")]) == 0
    write_png(next(root.rglob("*_gt_*.png")), np.zeros((10, 10), np.uint8))
    assert run(tmp_path / "bag", model, tmp_path / "out", "--acdc", root) == 2
    assert "labels of (10, 10) for an image of (48, 64)" in capfd.readouterr().err
