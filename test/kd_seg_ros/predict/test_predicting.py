"""From a folder to files: the same masks as the engine's, whole files, and nothing lost of an earlier run."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_model
from tiny_model import expected, write_tiny_model

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DECODE_DEFAULTS
from kd_seg_ros.common.picture_options import NONE
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.legend import legend_of
from kd_seg_ros.predict import window
from kd_seg_ros.predict.predicting import PredictSettings, PredictSummary, predict
from kd_seg_ros.predict.results import Results
from kd_seg_ros.predict.sources import open_source

HEIGHT, WIDTH = 16, 24
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)
    return Engine(path, "cpu")


@pytest.fixture
def images(tmp_path: Path) -> dict[str, np.ndarray]:
    """A folder of four images, one of them damaged, two with the same stem."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    written = {}
    for name in ("1.png", "2.png", "sub/3.png"):
        written[name] = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        cv2.imwrite(str(folder / name), written[name][..., ::-1])
    (folder / "4.png").write_bytes(b"damaged")
    return written


def run(
    engine: Engine,
    tmp_path: Path,
    kinds: tuple[str, ...] = ("mask",),
    overwrite: bool = False,
    **more: object,
) -> PredictSummary:
    source = open_source(str(tmp_path / "images"), DECODE_DEFAULTS)
    results = Results(
        tmp_path / "out", kinds, engine.card, legend_of(engine.card, NONE, marks=False), overwrite
    )
    settings = PredictSettings(**more)  # type: ignore[arg-type]
    summary = predict(source, engine, results, settings)
    results.close()
    return summary


def grey(path: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))


def test_files_hold_what_the_network_says(
    engine: Engine, images: dict[str, np.ndarray], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    summary = run(engine, tmp_path, ("mask", "confidence", "overlay", "colour", "drivable"))
    assert (summary.frames, summary.undecodable) == (3, 1)
    assert "4.png" in caplog.text
    for name, rgb in images.items():
        mask, confidence = expected(rgb)
        np.testing.assert_array_equal(grey(tmp_path / "out" / "mask" / name), mask)
        np.testing.assert_array_equal(grey(tmp_path / "out" / "confidence" / name), confidence)
        assert grey((tmp_path / "out" / "overlay" / name).with_suffix(".jpg")).shape == (HEIGHT, WIDTH, 3)
        drivable = np.where(mask == 0, 255, 0)  # the card promises nothing of the confidence
        np.testing.assert_array_equal(grey(tmp_path / "out" / "drivable" / name), drivable)
        colours = grey(tmp_path / "out" / "colour" / name)[..., ::-1]
        np.testing.assert_array_equal(colours, np.array(engine.card.palette)[mask])
    with (tmp_path / "out" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["1.png", "2.png", "sub/3.png"]
    assert [row["frame"] for row in rows] == ["1", "2", "4"]
    assert int(summary.pixels.sum()) == 3 * HEIGHT * WIDTH


def test_where_to_drive_of_a_model_without_such_a_class_is_refused(tmp_path: Path) -> None:
    card = tiny_model.card(8, 8, class_names=("floor", "wall"), palette=((0, 0, 0), (9, 9, 9)))
    with pytest.raises(UserError, match="--save drivable: none of the model's classes is drivable"):
        Results(tmp_path / "out", ("drivable",), card, legend_of(card), False)
    assert not (tmp_path / "out").exists()


def test_every_and_limit_choose_frames(engine: Engine, images: dict[str, np.ndarray], tmp_path: Path) -> None:
    assert run(engine, tmp_path, every=2).frames == 1  # 1.png; 4.png is damaged
    assert not (tmp_path / "out" / "mask" / "2.png").exists()
    assert run(engine, tmp_path, overwrite=True, limit=2).frames == 2


def test_images_are_resized_first(engine: Engine, images: dict[str, np.ndarray], tmp_path: Path) -> None:
    run(engine, tmp_path, size=(8, 12))
    assert grey(tmp_path / "out" / "mask" / "1.png").shape == (8, 12)


def test_earlier_results_stay_unless_they_may_be_replaced(
    engine: Engine, images: dict[str, np.ndarray], tmp_path: Path
) -> None:
    run(engine, tmp_path)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="--overwrite"):
        run(engine, tmp_path)
    (tmp_path / "out" / "mask" / "old.png").touch()
    run(engine, tmp_path, overwrite=True)
    assert not (tmp_path / "out" / "mask" / "old.png").exists()
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_folder_that_is_not_ours_is_left_alone(
    engine: Engine, images: dict[str, np.ndarray], tmp_path: Path
) -> None:
    (tmp_path / "out" / "mask").mkdir(parents=True)
    with pytest.raises(UserError, match="that no run of predict made"):
        run(engine, tmp_path, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        Results(tmp_path / "file", ("mask",), engine.card, legend_of(engine.card), True)


def test_names_that_differ_in_their_suffix_only_do_not_meet(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "a.png"):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert run(engine, tmp_path).frames == 2
    assert sorted(path.name for path in (tmp_path / "out" / "mask").iterdir()) == ["a.png", "a.png.png"]


def test_a_folder_of_damaged_images_is_an_error(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"not one of 1 images could be decoded: .*a.png"):
        run(engine, tmp_path)


def test_a_video_is_whole_even_when_the_run_is_stopped(
    engine: Engine, images: dict[str, np.ndarray], tmp_path: Path
) -> None:
    source = open_source(str(tmp_path / "images"), DECODE_DEFAULTS)
    answers = iter([False, True])
    settings = PredictSettings(video=tmp_path / "v.gif")
    summary = predict(source, engine, None, settings, lambda: next(answers))
    assert summary.frames == 2
    video = cv2.VideoCapture(str(tmp_path / "v.gif"))
    assert video.isOpened()
    assert [path.name for path in tmp_path.glob(".v*")] == []


def test_the_window_ends_the_run(
    engine: Engine, images: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []

    def show(picture: np.ndarray) -> bool:
        shown.append(picture.shape)
        return len(shown) < 2

    monkeypatch.setattr(window, "show", show)
    monkeypatch.setattr(window, "close", lambda: None)
    assert run(engine, tmp_path, show=True).frames == 2
    assert len(shown) == 2


def test_a_window_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match="--show needs a display"):
        window.check_window()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n")
    with pytest.raises(UserError, match="opencv-python"):
        window.check_window()


def test_a_name_that_is_no_utf_8_names_the_files(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    name = b"a\xff b.png".decode(errors="surrogateescape")
    content = cv2.imencode(".png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))[1].tobytes()
    (tmp_path / "images" / name).write_bytes(content)
    assert run(engine, tmp_path).frames == 1
    assert (tmp_path / "out" / "mask" / name).exists()
    assert b"a\xff b.png" in (tmp_path / "out" / "predictions.csv").read_bytes()
