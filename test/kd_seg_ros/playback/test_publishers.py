from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drive_bag import offered
from rosbags.interfaces import QosDurability, QosReliability

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.playback.publishers import is_latched, quality_of_service, read_overrides

RELIABLE, BEST_EFFORT = QosReliability.RELIABLE, QosReliability.BEST_EFFORT
VOLATILE, LATCHED = QosDurability.VOLATILE, QosDurability.TRANSIENT_LOCAL


class Connection:
    """The part of a bag's connection that publishers are made of."""

    def __init__(self, *offers: Any) -> None:
        self.ext = self
        self.offered_qos_profiles = offers


@pytest.mark.parametrize(
    ("offers", "override", "expected"),
    [
        ([], {}, ("RELIABLE", "VOLATILE", 10)),
        ([(BEST_EFFORT, VOLATILE, 3)], {}, ("BEST_EFFORT", "VOLATILE", 3)),
        ([(BEST_EFFORT, VOLATILE, 3), (RELIABLE, LATCHED, 1)], {}, ("RELIABLE", "TRANSIENT_LOCAL", 3)),
        ([(RELIABLE, LATCHED, 1)], {"reliability": "best_effort"}, ("BEST_EFFORT", "TRANSIENT_LOCAL", 1)),
        ([(RELIABLE, LATCHED, 1)], {"depth": 7, "durability": "volatile"}, ("RELIABLE", "VOLATILE", 7)),
    ],
)
def test_quality_of_service(
    offers: list[tuple[Any, Any, int]], override: dict[str, Any], expected: tuple[str, str, int]
) -> None:
    pytest.importorskip("rclpy")
    connections: Any = [Connection(*(offered(*offer) for offer in offers))]
    profile = quality_of_service(connections, override)
    assert (profile.reliability.name, profile.durability.name, profile.depth) == expected
    assert is_latched(connections) == any(offer[1] == LATCHED for offer in offers)


def test_overrides_are_read(tmp_path: Path) -> None:
    file = tmp_path / "qos.yaml"
    file.write_text("/camera:\n  reliability: best_effort\n  history: keep_last\n  depth: 2\n")
    assert read_overrides(file) == {
        "/camera": {"reliability": "best_effort", "history": "keep_last", "depth": 2}
    }
    assert read_overrides(None) == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("/camera: best_effort", "/camera: must map policies to values"),
        ("/camera: {reliabilty: reliable}", "policy 'reliabilty' is not one of reliability, durability"),
        ("/camera: {reliability: best}", "reliability must be reliable or best_effort, not 'best'"),
        ("/camera: {depth: 0}", "depth must be a whole number above 0, not 0"),
        ("- a", "must map topics to policies"),
        ("a: [", "not a YAML file"),
    ],
)
def test_wrong_overrides(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "qos.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_overrides(file)
    assert str(caught.value).startswith(str(file))
    assert complaint in str(caught.value)
