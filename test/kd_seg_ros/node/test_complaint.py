from __future__ import annotations

from kd_seg_ros.node.complaint import Complaint


def test_something_is_told_when_it_is_new_has_changed_or_lasts() -> None:
    times = iter([0.0, 1.0, 2.0, 3.0, 31.9, 32.0, 40.0, 41.0, 41.5])
    complaint = Complaint(repeat_s=30.0, clock=lambda: next(times))
    told = [complaint.due(about) for about in ("", "a", "b", "b", "b", "b", "", "", "b")]
    assert told == [False, True, True, False, False, True, False, False, True]
    assert complaint.lasts


def test_what_is_over_no_longer_lasts() -> None:
    complaint = Complaint()
    assert complaint.due("a")
    assert not complaint.due("")
    assert not complaint.lasts
