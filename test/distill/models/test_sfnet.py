from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch

from distill.models.output import upsample
from distill.models.sfnet import SfNet
from distill.models.sfnet_lite import SfNetLite
from distill.models.weights import Pretrained
from kd_seg_ros.common.errors import UserError


@pytest.fixture(scope="module")
def network() -> SfNet:
    torch.manual_seed(0)
    return SfNet(5).eval()


def test_without_flow_it_is_a_feature_pyramid(network: SfNet) -> None:
    """With Δ = 0, top(8) = lateral(s8) + upsampled top(16); computed here from the parts."""
    plain = SfNet(5).eval()
    plain.load_state_dict(network.state_dict())
    for alignment in plain.alignments:
        torch.nn.init.zeros_(alignment.flow.weight)  # type: ignore[union-attr, arg-type]
    image = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        _, s8, s16, s32 = plain.backbone(image)
        top16 = plain.laterals[2](s16) + upsample(plain.pool(s32), s16.shape[-2:], align_corners=True)
        top8 = plain.laterals[1](s8) + upsample(top16, s8.shape[-2:], align_corners=True)
        features = plain(image).features
    torch.testing.assert_close(features["P32"], plain.pool(s32))
    torch.testing.assert_close(features["P16"], plain.smoothings[2](top16), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(features["P8"], plain.smoothings[1](top8), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [SfNet, SfNetLite])
def test_logits_are_resized_as_the_authors_do_it(kind: type[SfNet | SfNetLite]) -> None:
    network = kind(5).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = torch.nn.functional.interpolate(
            network.maps(image).logits, (64, 96), mode="bilinear", align_corners=True
        )
        torch.testing.assert_close(network(image).logits, expected)


def test_lite_supervises_stage_4_in_training_only() -> None:
    network = SfNetLite(5)
    image = torch.randn(2, 3, 97, 131)
    assert network.train()(image).auxiliary["semantic"].shape == (2, 5, 97, 131)
    with torch.no_grad():
        assert not network.eval()(image).auxiliary


def test_the_authors_backbone_file_loads_and_a_plain_resnet_only_in_part(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deep = timm.create_model("resnet18", stem_type="deep", stem_width=64)
    plain = timm.create_model("resnet18")
    torch.save(deep.state_dict(), tmp_path / "deep.pth")
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    loaded = SfNet(5, Pretrained(str(tmp_path / "deep.pth"))).backbone.state_dict()
    torch.testing.assert_close(loaded["conv1.3.weight"], deep.state_dict()["conv1.3.weight"])
    with pytest.raises(UserError, match=r"missing \(conv1\.0\.weight.*strict false"):
        SfNet(5, Pretrained(str(tmp_path / "plain.pth")))
    loaded = SfNet(5, Pretrained(str(tmp_path / "plain.pth"), strict=False)).backbone.state_dict()
    torch.testing.assert_close(loaded["layer2.0.conv1.weight"], plain.state_dict()["layer2.0.conv1.weight"])
    assert "conv1.0.weight" in caplog.text


def test_the_hub_has_no_weights_for_the_deep_stem() -> None:
    with pytest.raises(UserError, match=r"resnet18-deep-inplane128\.pth.*--student\.pretrained FILE"):
        SfNet(5, Pretrained(True))
