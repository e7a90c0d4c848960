"""Training from Python and, with external teachers, through the command."""

from __future__ import annotations

from pathlib import Path

import lightning
import numpy as np
import onnx
import pytest
import yaml
from acdc_tree import write_acdc
from architectures import SMALL_BACKBONE
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from onnx import TensorProto, helper, numpy_helper

from distill.__main__ import main
from distill.checkpoints.student import load_student
from distill.config import load_config
from distill.training.trainer import fit


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smallest student that lacks nothing but its teacher."""
    folder = tmp_path_factory.mktemp("fit")
    values = {
        "name": "student",
        "out": str(folder / "runs"),
        "data": {
            "root": str(write_acdc(folder / "acdc", frames=1, size=(40, 64))),
            "crop": [40, 40],
            "workers": 0,
        },
        "student": {"backbone": SMALL_BACKBONE, "channels": 8},
        "objective": {"logits": "kl"},
        "training": {"epochs": 1, "batch_size": 4, "accumulate": 1},
    }
    path = folder / "student.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def onnx_teacher(path: Path) -> Path:
    """A 1×1 convolution from RGB to 19 logits."""
    weight = np.random.default_rng(0).normal(size=(19, 3, 1, 1)).astype(np.float32)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight"], ["logits"])],
        "teacher",
        [info("image", TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [info("logits", TensorProto.FLOAT, ["b", 19, "h", "w"])],
        [numpy_helper.from_array(weight, "weight")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_a_hugging_face_folder_teaches(
    experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = pytest.importorskip("tiny_huggingface")
    folder = tiny.save(tiny.mask2former(), tmp_path / "teacher")
    command = ["fit", "--config", str(experiment), "--name", "hf", "--teacher.huggingface", str(folder)]
    assert main(command) == 0
    printed = capsys.readouterr().err
    assert "Mask2FormerForUniversalSegmentation" in printed
    assert "classes: 19 of our 19" in printed
    _, config = load_student(experiment.parent / "runs" / "hf" / "best.ckpt")
    assert config.teacher is not None
    assert config.teacher.huggingface == str(folder)


def test_an_onnx_file_teaches(experiment: Path, tmp_path: Path) -> None:
    teacher = onnx_teacher(tmp_path / "teacher.onnx")
    options = ["--teacher", f"{{onnx: {teacher}, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2]}}"]
    assert main(["fit", "--config", str(experiment), "--name", "onnx", *options]) == 0


def test_a_teacher_that_saw_whole_images_is_not_asked_again(experiment: Path, tmp_path: Path) -> None:
    """After the first run its logits are on disk, so that the second needs no word from it."""
    teacher = onnx_teacher(tmp_path / "teacher.onnx")
    values = (
        f"{{onnx: {teacher}, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2], whole_images: true, "
        f"cache: {tmp_path / 'cache'}}}"
    )
    command = ["fit", "--config", str(experiment), "--name", "whole", "--teacher", values]
    assert main(command) == 0
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("cache/*/*.safetensors")}
    # One file for each of the four training images.
    assert len(kept) == 4
    assert main([*command, "--overwrite"]) == 0
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("cache/*/*")} == kept


def test_a_student_learns_from_the_classes_of_its_teacher(
    experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the objective compares with the teacher: it labels the images that nobody labelled."""
    teacher = onnx_teacher(tmp_path / "teacher.onnx")
    write_acdc(tmp_path / "more", splits=("test",), frames=1, size=(40, 64))
    values = (
        f"{{onnx: {teacher}, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2], whole_images: true, "
        f"cache: {tmp_path / 'cache'}, pseudo_labels: 0.1}}"
    )
    command = ["fit", "--config", str(experiment), "--name", "pseudo", "--objective.logits", "none"]
    command += ["--teacher", values, "--data.extra", f"[{{root: {tmp_path / 'more'}, split: test}}]"]
    assert main(command) == 0
    told = capsys.readouterr().err
    assert (
        "its classes are the labels of images without labels where their probability is at least 0.1" in told
    )
    assert len(list(tmp_path.glob("cache/*/*.png"))) == 4
    _, config = load_student(experiment.parent / "runs" / "pseudo" / "best.ckpt")
    assert config.teacher is not None
    assert config.teacher.pseudo_labels == 0.1


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("{onnx: nowhere.onnx}", "nowhere.onnx does not exist"),
        ("{huggingface: nowhere}", "nowhere is no folder"),
        ("{huggingface: a, onnx: b}", "give exactly one of checkpoint, huggingface and onnx"),
        ("{checkpoint: a.ckpt, size: [64, 64]}", "a checkpoint holds its own size"),
        ("{hugingface: a}", "did you mean 'huggingface'"),
    ],
)
def test_mistakes_end_in_one_line(
    experiment: Path, teacher: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(experiment), "--teacher", teacher]) == 2
    assert message in capsys.readouterr().err


def test_a_teacher_of_other_statistics_is_refused(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["fit", "--config", str(experiment), "--name"]
    statistics = ["--data.mean", "[0.2, 0.3, 0.2]", "--data.std", "[0.1, 0.1, 0.1]"]
    assert main([*command, "other_teacher", "--objective.logits", "none", *statistics]) == 0
    checkpoint = experiment.parent / "runs/other_teacher/best.ckpt"
    assert main([*command, "taught_otherwise", "--teacher.checkpoint", str(checkpoint)]) == 2
    message = "other data.mean and data.std, [0.2, 0.3, 0.2] and [0.1, 0.1, 0.1], and sees the student's"
    assert message in capsys.readouterr().err
    assert main([*command, "taught", "--teacher.checkpoint", str(checkpoint), *statistics]) == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [("--seed", "-1"), ("--seed", "99999999999"), ("--data.dataset", "[acdc, cityscapes]")],
)
def test_values_that_nothing_can_be_done_with(
    experiment: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(experiment), option, value]) == 2
    assert f"{option.removeprefix('--').partition('.')[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("betas", ["[0.9, 1.0]", "[-0.1, 0.9]"])
def test_betas_that_adam_cannot_use(experiment: Path, betas: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", str(experiment), "--training.betas", betas]) == 2
    assert "'training.betas" in capsys.readouterr().err


def test_feature_losses_need_a_teacher_of_our_own(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--teacher.onnx", "x.onnx", "--objective.features", "[{loss: cwd}]"]
    assert main(["fit", "--config", str(experiment), *options]) == 2
    assert "no feature losses with it" in capsys.readouterr().err


def test_devices_that_are_not_there_are_one_line(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> None:
        raise MisconfigurationException("you requested gpu [7]\n but only [0] exist")

    monkeypatch.setattr(lightning, "Trainer", refuse)
    options = ["--objective.logits", "none", "--teacher", "null", "--training.devices", "4"]
    assert main(["fit", "--config", str(experiment), "--name", "devices", *options]) == 2
    assert "error: training.devices 4: you requested gpu [7]" in capsys.readouterr().err


def test_from_python_it_prints_nothing(experiment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    overrides = {"name": "quiet", "objective.logits": "none"}
    best = fit(load_config(experiment, overrides))
    assert best.is_file()
    assert best.parent == experiment.parent / "runs" / "quiet"
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
