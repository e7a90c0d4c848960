"""The offline half from data to file through its commands, at the smallest size that exercises all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torchmetrics
from acdc_tree import write_acdc, write_png
from drawn_from_network import relabel
from trained_runs import train_teacher_and_student

import distill.export.agreement
import distill.export.export_checkpoint
from distill.__main__ import main
from distill.calibration.halves import split
from distill.checkpoints.student import deployed, load_student
from distill.checkpoints.training_cost import COST_FILE, cost_of_checkpoint
from distill.datasets.acdc import list_acdc
from distill.datasets.frame import read_sample
from distill.datasets.training_images import TrainingImages
from distill.evaluation.predictors import torch_segmenter
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.inference.engine import Engine

SIZE = (72, 120)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_acdc(tmp_path_factory.mktemp("acdc"), frames=2, size=SIZE)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Folder with a trained teacher and a student distilled from it."""
    folder = tmp_path_factory.mktemp("runs")
    train_teacher_and_student(folder, data)
    return folder


@pytest.fixture(scope="module")
def checkpoint(runs: Path, data: Path) -> Path:
    path = runs / "student" / "best.ckpt"
    relabel(path, data)
    assert main(["calibrate", "--model", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "new" / "student.onnx"
    size = ["--size", f"{SIZE[0]}x{SIZE[1]}"]
    assert main(["export", "--model", str(checkpoint), "--out", str(out), *size]) == 0
    return out


def test_checkpoint_holds_the_student_only_and_no_pickle(runs: Path) -> None:
    state = torch.load(runs / "student" / "best.ckpt", weights_only=True)
    assert all(key.startswith("student.") for key in state["state_dict"])
    network, config = load_student(runs / "student" / "best.ckpt")
    assert len(state["state_dict"]) == len(network.state_dict())
    assert not network.training
    assert config.name == "student"


def test_what_the_training_has_cost_lies_next_to_its_checkpoints(runs: Path) -> None:
    cost = cost_of_checkpoint(runs / "student" / "best.ckpt")
    assert cost is not None
    assert cost.document() == json.loads((runs / "student" / COST_FILE).read_text())
    assert (cost.epochs, cost.images) == (1, 8)  # two frames of each of four weathers
    assert cost.seconds > 0


def test_every_term_and_the_validation_reach_tensorboard(runs: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(runs / "student" / "tensorboard"))
    events.Reload()
    assert "val/miou" in events.Tags()["scalars"]
    logged = torch.load(runs / "student" / "last.ckpt", weights_only=True)
    assert logged["epoch"] == 0


def test_metrics_are_those_of_torchmetrics(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "metrics.json"
    assert main(["evaluate", "--model", str(checkpoint), "--out", str(out)]) == 0
    document = json.loads(out.read_text())
    assert document["schema_version"] == 3
    assert set(document["scores"]) == {"full", "fog", "night", "rain", "snow"}
    assert document["options"] == {}
    assert 0 < document["scores"]["full"]["auprc"]["mean"] < 1

    network, config = load_student(checkpoint)
    calibration = json.loads(checkpoint.with_suffix(".calibration.json").read_text())
    temperature = calibration["parameters"]["temperature"]
    model = deployed(network, config, LogitCalibration("temperature", temperature=temperature))
    for condition in ("full", "snow"):
        conditions = config.data.conditions if condition == "full" else [condition]
        frames = list_acdc(data, "val", conditions).complete()
        bins = np.zeros((15, 2))  # per bin: hits, summed confidence
        jaccard = torchmetrics.JaccardIndex("multiclass", num_classes=19, ignore_index=255, average="none")
        for frame in frames:
            sample = read_sample(frame)
            assert sample.labels is not None
            with torch.no_grad():
                logits = model.logits(torch.from_numpy(sample.image)) / temperature
            labels = torch.from_numpy(sample.labels.astype(np.int64))[None]
            best = logits.double().softmax(1).max(1)
            confidence = best.values.numpy()[0]
            mask = best.indices.numpy()[0]
            for b in range(15):
                inside = (sample.labels != 255) & (np.minimum((confidence * 15).astype(int), 14) == b)
                bins[b] += (mask == sample.labels)[inside].sum(), confidence[inside].sum()
            jaccard.update(logits, labels)
        scores = document["scores"][condition]
        assert scores["images"] == len(frames)
        # torchmetrics sums in FP32, which loses digits over this many pixels.
        ece = np.abs(bins[:, 0] - bins[:, 1]).sum() / scores["pixels"]
        assert scores["ece"] == pytest.approx(ece, abs=1e-6)
        iou = [value for value in scores["iou"].values() if value is not None]
        assert scores["miou"] == pytest.approx(float(jaccard.compute().mean()), abs=1e-6)
        assert np.mean(iou) == pytest.approx(scores["miou"])


def test_scores_on_training_images_are_told_wherever_these_lie(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of links to the training images, under other names, next to one image of validation."""
    copy = tmp_path / "data"
    for kind, name in (("rgb_anon", "rgb_anon"), ("gt", "gt_labelTrainIds")):
        source = sorted((data / kind / "fog").rglob(f"*{name}.png"))
        assert len(source) == 4  # two of training, then two of validation
        for number, path in enumerate(source[:3]):
            link = copy / kind / "fog" / "val" / "links" / f"{number}_{name}.png"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    out = tmp_path / "seen.metrics.json"
    words = ["--root", str(copy), "--conditions", "fog", "--out", str(out)]
    assert main(["evaluate", "--model", str(checkpoint), *words]) == 0
    printed = capsys.readouterr()
    told = "2 of the 3 images were trained on: the scores do not tell how it does on others"
    assert f"warning: {told}" in printed.err
    assert told in " ".join(printed.out.split())
    assert json.loads(out.read_text())["data"]["trained_on"] == 2
    assert main(["compare", str(out), str(out), "--draws", "100", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.count(told) == 2
    assert json.loads(printed.out)["trained_on"] == [2, 2]
    calibration = json.loads(checkpoint.with_suffix(".calibration.json").read_text())
    assert calibration["data"]["trained_on"] == 0


def test_calibration_lowers_the_nll_and_reports_ece(checkpoint: Path, data: Path) -> None:
    document = json.loads(checkpoint.with_suffix(".calibration.json").read_text())
    network, config = load_student(checkpoint)
    logits, labels = [], []
    with torch.no_grad():
        for frame in split(list_acdc(data, "val").complete())[0]:
            sample = read_sample(frame)
            assert sample.labels is not None
            valid = torch.from_numpy(sample.labels != 255)
            logits.append(deployed(network, config).logits(torch.from_numpy(sample.image))[0][:, valid].T)
            labels.append(torch.from_numpy(sample.labels)[valid].long())
    z, y = torch.cat(logits), torch.cat(labels)
    nll = torch.nn.functional.cross_entropy
    assert nll(z / document["parameters"]["temperature"], y) <= nll(z, y) + 1e-6
    assert document["scores"]["none"]["full"]["ece"] is not None
    assert document["scores"]["temperature"]["night"]["ece"] is not None


def test_exported_file_is_the_network(exported: Path, checkpoint: Path, data: Path) -> None:
    assert [p.name for p in exported.parent.iterdir()] == ["student.onnx"]
    engine = Engine(exported, "cpu")
    network, config = load_student(checkpoint)
    image = read_sample(list_acdc(data, "val").complete()[0]).image
    calibration = LogitCalibration("temperature", temperature=engine.card.temperature)
    mask, probability = torch_segmenter(deployed(network, config, calibration))(image)
    prediction = engine.segment(image, probability=True)
    assert (prediction.mask == mask).mean() >= 0.995
    assert prediction.probability is not None
    assert np.abs(prediction.probability - probability).mean() <= 0.01


def test_card_says_where_the_file_comes_from(exported: Path, checkpoint: Path) -> None:
    card = Engine(exported, "cpu").card
    network, config = load_student(checkpoint)
    calibration = json.loads(checkpoint.with_suffix(".calibration.json").read_text())
    assert card.name == "student"
    assert card.dataset.startswith("train: 8 images (2 fog, 2 night, 2 rain, 2 snow), 120×72, read as acdc")
    assert card.dataset.endswith('described as "noise"')
    assert card.limitations.startswith('Stated: "all"')
    assert card.measured_on == f"4 images of acdc in {Path(config.data.root).name}, val"
    trained = TrainingImages.parse(card.training_images)
    assert trained is not None
    assert trained.count == trained.among(list_acdc(Path(config.data.root), "train").complete()) == 8
    assert (card.height, card.width) == SIZE
    assert card.calibration == {
        "method": "temperature",
        "parameters": {"temperature": card.temperature},
    }
    assert card.temperature == calibration["parameters"]["temperature"]
    assert card.parameters == sum(p.numel() for p in network.parameters())
    assert card.config_hash == config.digest()
    assert card.ece_before["fog"] == pytest.approx(calibration["scores"]["none"]["fog"]["ece"], rel=1e-12)
    after = calibration["scores"]["temperature"]
    assert card.ece_after["full"] == pytest.approx(after["full"]["ece"], rel=1e-12)
    assert card.reliability["snow"] == after["snow"]["reliability"]
    assert set(card.miou) == {"full", "fog", "night", "rain", "snow"}
    assert card.agreement["argmax"] >= 0.995


def test_file_is_half_precision_in_an_old_opset_and_names_no_path(exported: Path) -> None:
    proto = onnx.load(exported)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 18)]
    weights = [w for w in proto.graph.initializer if len(w.dims) == 4 and w.dims[0] > 1]
    kept = Engine(exported, "cpu").card.single_precision  # layers that half precision cannot hold
    single = [w.name for w in weights if w.data_type != onnx.TensorProto.FLOAT16]
    assert len(single) < len(weights) / 2
    assert {w.data_type for w in weights if w.name not in single} == {onnx.TensorProto.FLOAT16}
    for name in single:
        assert any(layer in name for layer in kept)
    assert b"site-packages" not in exported.read_bytes()
    assert b".py" not in exported.read_bytes()


def test_a_file_that_disagrees_is_refused(
    checkpoint: Path,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    segmenter = distill.export.agreement.torch_segmenter

    def wrong(model: Any) -> Any:
        segment = segmenter(model)
        return lambda image: ((segment(image)[0] + 1) % 19, segment(image)[1] + 0.2)

    monkeypatch.setattr(distill.export.agreement, "torch_segmenter", wrong)
    monkeypatch.setattr(
        distill.export.export_checkpoint, "to_onnx", lambda *_, **__: onnx.load(exported)
    )  # the same, without the wait
    command = ["export", "--model", str(checkpoint), "--out", str(tmp_path / "x.onnx")]
    assert main([*command, "--size", f"{SIZE[0]}x{SIZE[1]}", "--limit", "2"]) == 2
    error = capsys.readouterr().err
    assert "argmax agreement 0.00% is below 99.5%" in error
    assert "confidence difference 0.2000 is above 0.01" in error
    assert list(tmp_path.iterdir()) == []


def test_export_checks_on_plain_images_too(checkpoint: Path, tmp_path: Path) -> None:
    write_png(
        tmp_path / "in" / "a.png", np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    )
    command = ["export", "--model", str(checkpoint), "--out", str(tmp_path / "x.onnx")]
    (tmp_path / "x.onnx.tmp").write_bytes(b"left by an export that was killed")
    assert main([*command, "--images", str(tmp_path / "in")]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"in", "x.onnx"}
    engine = Engine(tmp_path / "x.onnx", "cpu")
    assert "miou_points" not in engine.card.agreement
    assert engine.size == (50, 60), "by default the size of the data"


def test_onnx_files_are_evaluated_as_the_vehicle_runs_them(exported: Path, data: Path) -> None:
    assert main(["evaluate", "--model", str(exported), "--conditions", "fog"]) == 0
    document = json.loads(exported.with_suffix(".metrics.json").read_text())
    assert set(document["scores"]) == {"full", "fog"}
    exported.with_suffix(".metrics.json").unlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--model", "{runs}/teacher.yaml"], "is neither a checkpoint"),
        (["evaluate", "--model", "{runs}/cut.ckpt"], "is cut short or no checkpoint"),
        (["evaluate", "--model", "{runs}/cut.onnx"], "not a readable ONNX file"),
        (["calibrate", "--model", "{runs}/cut.onnx"], "say by --out where to write"),
        (["calibrate", "--model", "nowhere.ckpt"], "no such model file"),
        (["export", "--model", "{runs}/student/best.ckpt", "--out", "x.pt"], "ends in .onnx"),
        (["export", "--model", "{runs}/student/best.ckpt", "--out", "{runs}/x.onnx",
          "--root", "{runs}"], "--images DIR"),
        (["export", "--model", "{runs}/student/best.ckpt", "--out", "/dev/null/x.onnx"],
         "cannot write"),
    ],
)  # fmt: skip
def test_mistakes_end_in_one_line(
    runs: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cut.ckpt", "cut.onnx"):
        (runs / name).write_bytes(b"\x08")
    assert main([a.format(runs=runs) for a in arguments]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
