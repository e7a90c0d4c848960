"""Another calibration in a model file: as if it had been exported with it, and nothing else changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from calibrations import CALIBRATIONS
from numpy.typing import NDArray
from onnx import TensorProto, helper
from strided_file import SIZE, write_strided_file

from distill.export.file_model import FileModel, LogitsEngine
from distill.export.model_card import save_with_card
from distill.export.recalibrate import recalibrated, write_recalibrated
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import NETWORK_IMAGE, NETWORK_LOGITS
from kd_seg_ros.inference.engine import Engine

COARSE = np.random.default_rng(3).integers(0, 256, (11, 16, 3), dtype=np.uint8)
IMAGE: NDArray[np.uint8] = np.ascontiguousarray(
    COARSE.repeat(4, axis=0).repeat(4, axis=1)[: SIZE[0], : SIZE[1]], np.uint8
)
OLD = LogitCalibration("temperature", temperature=3.0)


def card_of(path: Path) -> ModelCard:
    return Engine(path, "cpu").card


KINDS: list[dict[str, Any]] = [{"scale": 0.6}, {"half": True}, {"dynamic": True, "scale": 0.6}]


@pytest.mark.parametrize(
    ("kind", "method"),
    [*[({}, method) for method in CALIBRATIONS], *[(kind, "adaptive_temperature") for kind in KINDS]],
)
def test_the_file_is_the_one_exported_with_that_calibration(
    kind: dict[str, Any], method: str, tmp_path: Path
) -> None:
    new = CALIBRATIONS[method]
    old = write_strided_file(tmp_path / "old.onnx", calibration=OLD, **kind)
    expected = write_strided_file(tmp_path / "expected.onnx", calibration=new, **kind)
    proto = recalibrated(onnx.load(old), card_of(old), new)
    save_with_card(proto, card_of(old), tmp_path / "new.onnx")
    assert len(proto.graph.node) == len(onnx.load(expected).graph.node) or "dynamic" in kind
    found = Engine(tmp_path / "new.onnx", "cpu").segment(IMAGE, probability=True)
    wanted = Engine(expected, "cpu").segment(IMAGE, probability=True)
    np.testing.assert_array_equal(found.mask, wanted.mask)
    assert found.probability is not None
    assert wanted.probability is not None
    np.testing.assert_allclose(found.probability, wanted.probability, atol=1e-6)


def test_what_other_outputs_are_made_of_stays(tmp_path: Path) -> None:
    """An output of a node after the network, whose name the new nodes would have."""
    old = write_strided_file(tmp_path / "old.onnx")
    proto = onnx.load(old)
    first = next(node for node in proto.graph.node if NETWORK_LOGITS in node.input)
    proto.graph.node.append(helper.make_node("ReduceMax", [first.output[0]], ["highest"], keepdims=0))
    proto.graph.output.append(helper.make_tensor_value_info("highest", TensorProto.FLOAT, []))
    found = recalibrated(proto, card_of(old), CALIBRATIONS["temperature"])
    save_with_card(found, card_of(old), tmp_path / "new.onnx")

    class Highest(Engine):
        def read(self) -> list[np.ndarray]:
            return self._run(["highest", "probability"], IMAGE)

    engine = LogitsEngine(old, "cpu")
    highest, probability = Highest(tmp_path / "new.onnx", "cpu").read()
    assert highest == pytest.approx(float(engine.logits(IMAGE).max()))
    expected = FileModel(engine).calibrated(CALIBRATIONS["temperature"])(torch.from_numpy(IMAGE))[2]
    np.testing.assert_allclose(probability, expected, atol=1e-5)


def test_a_file_that_does_not_follow_its_network_is_not_written(tmp_path: Path) -> None:
    old = write_strided_file(tmp_path / "old.onnx")
    wrong = FileModel(LogitsEngine(write_strided_file(tmp_path / "wrong.onnx", mean=(0.1, 0.9, 0.2)), "cpu"))
    wrong.logits = lambda image: -FileModel.logits(wrong, image)  # type: ignore[method-assign]
    out = tmp_path / "out.onnx"
    with pytest.raises(UserError, match=r"out.onnx was not written, it does not follow its network: argmax"):
        write_recalibrated(old, out, card_of(old), wrong, LogitCalibration(), [(IMAGE, None)], "cpu")
    assert not out.exists()


@pytest.mark.parametrize(("dynamic", "scale"), [(False, 1.0), (False, 0.6), (True, 0.6)])
def test_logits_of_a_file_make_its_own_answers(dynamic: bool, scale: float, tmp_path: Path) -> None:
    path = write_strided_file(tmp_path / "file.onnx", dynamic=dynamic, scale=scale, calibration=OLD)
    model = FileModel(LogitsEngine(path, "cpu")).calibrated(OLD)
    larger = np.ascontiguousarray(IMAGE.repeat(2, axis=0), np.uint8)  # stretched by a file of fixed size
    for image in (IMAGE, larger):
        found, expected = model(torch.from_numpy(image)), Engine(path, "cpu").segment(image, True)
        assert expected.probability is not None
        assert (found[0].numpy() != expected.mask).mean() < 1e-3  # ties alone
        np.testing.assert_allclose(found[2], expected.probability, atol=1e-4)


def test_files_that_do_not_say_where_their_network_ends_are_refused(tmp_path: Path) -> None:
    path = write_strided_file(tmp_path / "file.onnx", padding_multiple=0)
    with pytest.raises(UserError, match="was written by an earlier version"):
        LogitsEngine(path, "cpu")
    path = write_strided_file(tmp_path / "file.onnx")
    proto = onnx.load(path)
    del proto.graph.value_info[:]
    save_with_card(proto, card_of(path), path)
    with pytest.raises(UserError, match="export the model again"):
        LogitsEngine(path, "cpu")
    assert NETWORK_IMAGE in {name for node in proto.graph.node for name in node.output}
