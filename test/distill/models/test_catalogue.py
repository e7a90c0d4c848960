from __future__ import annotations

import pytest

from distill.models.catalogue import MODELS, check_name
from kd_seg_ros.common.errors import UserError


def test_each_network_of_the_thesis_is_there() -> None:
    """Tables 4.2 and 4.3."""
    assert [m.thesis.name for m in MODELS.values() if m.thesis] == [
        "SN-FPN-RN18",
        "SN-FPN-MNv4",
        "SN-FPN-ConvNeXt-L",
        "PIDNet-S",
        "PIDNet-M",
        "PIDNet-L",
        "SF-RN18",
        "SF-lite-RN18",
        "SegFormer-B0",
        "HRNetV2-W48",
    ]


@pytest.mark.parametrize(
    ("wrong", "near"), [("pidnet", "pidnet_s"), ("segformer-b0", "segformer_b0"), ("hrnet", "hrnetv2_w48")]
)
def test_an_unknown_name_is_answered_with_near_ones(wrong: str, near: str) -> None:
    with pytest.raises(UserError, match=rf"unknown model '{wrong}'; did you mean .*'{near}"):
        check_name(wrong)


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(UserError, match=r"swiftnet, .*hrnetv2_w48"):
        check_name("??")
