"""Messages come in any order; what belongs together is put together, and nothing is kept for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kd_seg_ros.clouds.matching import KEPT_DEPTHS, KEPT_MAPS, Match, StampMatcher


def message(name: str, size: int = 10) -> Any:
    return SimpleNamespace(name=name, data=bytes(size))


def test_a_frame_gets_the_nearest_depth_within_the_tolerance() -> None:
    matcher = StampMatcher(tolerance=5, max_bytes=1000, with_depth=True)
    depths = {stamp: message(f"depth {stamp}") for stamp in (90, 98, 103)}
    for stamp, depth in depths.items():
        assert matcher.add_depth(stamp, depth) is None
    mask, confidence = message("mask"), message("confidence")
    assert matcher.add_map("mask", 100, mask) is None
    assert matcher.add_map("confidence", 100, confidence) == Match(mask, confidence, depths[98])
    assert matcher.counts.matched == 1


def test_a_frame_waits_for_a_depth_that_is_late() -> None:
    matcher = StampMatcher(tolerance=0, max_bytes=1000, with_depth=True)
    mask, confidence, depth = message("mask"), message("confidence"), message("depth")
    assert matcher.add_map("confidence", 7, confidence) is None
    assert matcher.add_map("mask", 7, mask) is None
    assert matcher.add_depth(6, message("other")) is None
    assert matcher.gap() == 1
    assert matcher.add_depth(7, depth) == Match(mask, confidence, depth)
    assert matcher.gap() is None


def test_a_newer_frame_takes_the_place_of_one_that_waits() -> None:
    matcher = StampMatcher(tolerance=0, max_bytes=1000, with_depth=True)
    for stamp in (1, 2):
        matcher.add_map("mask", stamp, message(f"mask {stamp}"))
        matcher.add_map("confidence", stamp, message("confidence"))
    assert matcher.counts.without_depth == 1
    assert matcher.add_depth(1, message("late")) is None
    found = matcher.add_depth(2, message("depth"))
    assert found is not None
    assert found.mask.name == "mask 2"


def test_without_depth_two_maps_are_enough() -> None:
    matcher = StampMatcher()
    mask, confidence = message("mask"), message("confidence")
    matcher.add_map("mask", 1, mask)
    assert matcher.add_map("confidence", 1, confidence) == Match(mask, confidence, None)


def test_a_mask_alone_is_enough_where_nothing_else_is_asked_for() -> None:
    mask = message("mask")
    assert StampMatcher(kinds=("mask",)).add_map("mask", 1, mask) == Match(mask, None, None)


def test_memory_is_bounded_whatever_comes() -> None:
    matcher = StampMatcher(tolerance=0, max_bytes=35, with_depth=True)
    for stamp in range(100):
        matcher.add_depth(stamp, message("depth"))
        matcher.add_map("mask", 1000 + stamp, message("mask"))
    assert list(matcher._depths) == [97, 98, 99]
    assert len(matcher._maps) == KEPT_MAPS
    matcher.add_depth(200, message("huge", 10_000))
    assert list(matcher._depths) == [200]
    many = StampMatcher(tolerance=0, max_bytes=10**9, with_depth=True)
    for stamp in range(100):
        many.add_depth(stamp, message("depth"))
    assert len(many._depths) == KEPT_DEPTHS


def test_all_is_forgotten_when_nobody_listens() -> None:
    matcher = StampMatcher(tolerance=10, max_bytes=1000, with_depth=True)
    matcher.add_map("mask", 1, message("mask"))
    matcher.add_depth(1, message("depth"))
    matcher.clear()
    assert matcher.add_map("confidence", 1, message("confidence")) is None
    assert matcher.add_map("mask", 1, message("mask")) is None


@settings(deadline=None)
@given(st.permutations([(kind, stamp) for kind in ("mask", "confidence", "depth") for stamp in range(3)]))
def test_in_whatever_order_they_come_only_equal_stamps_match(order: list[tuple[str, int]]) -> None:
    matcher = StampMatcher(tolerance=0, max_bytes=1000, with_depth=True)
    found = []
    for kind, stamp in order:
        named = message(str(stamp))
        if kind == "depth":
            found.append(matcher.add_depth(stamp, named))
        else:
            found.append(matcher.add_map(kind, stamp, named))
    matches = [match for match in found if match is not None]
    for match in matches:
        assert match.mask.name == match.confidence.name == match.depth.name
    assert len({match.mask.name for match in matches}) == len(matches)
