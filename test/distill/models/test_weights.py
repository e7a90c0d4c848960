from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from distill.models.backbone import PyramidBackbone
from distill.models.weights import Pretrained
from kd_seg_ros.common.errors import UserError

NAME = "resnet10t"


@pytest.fixture
def classifier() -> torch.nn.Module:
    torch.manual_seed(1)
    return timm.create_model(NAME)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_local_file_fills_every_level(classifier: torch.nn.Module, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    state = classifier.state_dict()
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    backbone = PyramidBackbone(NAME, Pretrained(str(path)))
    loaded = backbone.network.state_dict()
    torch.testing.assert_close(loaded["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])
    for level in range(3):
        torch.testing.assert_close(
            loaded[f"layer2.0.bn1.norms.{level}.running_mean"], state["layer2.0.bn1.running_mean"]
        )


def test_nested_names_of_features_only_models_are_matched(tmp_path: Path) -> None:
    """ConvNeXt's ``stages.0`` is ``stages_0`` in timm's feature network."""
    torch.manual_seed(1)
    classifier = timm.create_model("convnext_atto")
    save_file(classifier.state_dict(), tmp_path / "w.safetensors")
    backbone = PyramidBackbone("convnext_atto", Pretrained(str(tmp_path / "w.safetensors")))
    expected = classifier.state_dict()["stages.2.blocks.1.mlp.fc1.weight"]
    torch.testing.assert_close(backbone.network.state_dict()["stages_2.blocks.1.mlp.fc1.weight"], expected)


def test_weights_of_another_network_are_refused_whether_strict_or_not(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(timm.create_model("mobilenetv4_conv_small_035").state_dict(), path)
    for strict in (True, False):
        with pytest.raises(
            UserError, match=r"'resnet10t' do not fit: \d+ missing \(conv1\.0\.weight, .*more"
        ):
            PyramidBackbone(NAME, Pretrained(str(path), strict))


def test_a_partial_file_is_refused_by_name_unless_asked_for(
    classifier: torch.nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "part.safetensors"
    state = dict(classifier.state_dict())
    del state["layer1.0.conv1.weight"]
    state["layer2.0.conv1.weight"] = torch.zeros(7)
    state["segmentation_head"] = torch.zeros(2)
    save_file(state, path)
    faults = (
        r"1 missing \(layer1\.0\.conv1\.weight\); "
        r"1 of another shape \(layer2\.0\.conv1\.weight \[7\] for \[128, 64, 3, 3\]\); "
        r"1 unexpected \(segmentation_head\)"
    )
    with pytest.raises(UserError, match=faults + "; --student.strict false loads what fits"):
        PyramidBackbone(NAME, Pretrained(str(path)))
    loaded = PyramidBackbone(NAME, Pretrained(str(path), strict=False)).network.state_dict()
    torch.testing.assert_close(loaded["layer3.0.conv1.weight"], state["layer3.0.conv1.weight"])
    assert re.search(faults, caplog.text)


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


def test_a_pickle_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"weight": Evil()}))
    with pytest.raises(UserError, match=r"evil\.pth"):
        PyramidBackbone(NAME, Pretrained(str(path)))
    torch.save({"weight": Evil()}, path)
    with pytest.raises(UserError, match=r"evil\.pth"):
        PyramidBackbone(NAME, Pretrained(str(path)))


@pytest.mark.parametrize("content", [b"", b"not tensors"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_damaged_and_missing_files_are_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    with pytest.raises(UserError, match="does not exist"):
        PyramidBackbone(NAME, Pretrained(str(path)))
    path.write_bytes(content)
    with pytest.raises(UserError, match="weights"):
        PyramidBackbone(NAME, Pretrained(str(path)))


def test_an_unreachable_hub_names_the_file_and_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def offline(name: str, pretrained: bool = False, **options: Any) -> torch.nn.Module:
        if pretrained:
            raise OSError("the hub cannot be reached")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=r"timm/resnet10t\.c3_in1k.*--student\.pretrained FILE"):
        PyramidBackbone(NAME, Pretrained(True))
