"""The figures of a replay, from reports and moments written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from demo_drive import PERIOD, START, write_drive

from distill.drives.drive import survey
from distill.drives.replay_report import Replayed, describe, expected_accuracy, percentiles, replay_document

COUNTS = ("received", "published", "overwritten", "rejected", "failed")


def report(*counts: int) -> dict[str, str]:
    """What a node says of itself, with its counters in the order of COUNTS."""
    frames = {f"frames_{name}": str(value) for name, value in zip(COUNTS, counts, strict=True)}
    return {"provider": "CPUExecutionProvider", "latency_ms_p50": "3.5", "latency_ms_p99": "4", **frames}


def test_every_frame_is_accounted_for(tmp_path: Path) -> None:
    drive = survey(write_drive(tmp_path / "bag", 5))
    stamps = [START + number * PERIOD for number in range(5)]
    sent = {stamp: 1_000_000 * number for number, stamp in enumerate(stamps)}
    arrivals = {
        "/mask": {stamps[0]: 2_000_000, stamps[1]: 5_000_000, stamps[2]: 9_000_000},
        "/confidence": {stamps[0]: 3_000_000, stamps[1]: 4_000_000},
    }
    replayed = Replayed(
        mode="real time",
        rate=2.0,
        before=report(10, 10, 0, 0, 0),
        after=report(14, 13, 1, 0, 0),
        sent=sent,
        arrivals=arrivals,
        unanswered={stamps[4]: "timeout"},
        timing_error=None,
    )
    found = replay_document(replayed, drive, stamps[:2])
    assert (found["mode"], found["rate"], found["provider"]) == ("real time", 2.0, "CPUExecutionProvider")
    assert (found["frames_sent"], found["frames_received"], found["frames_recorded"]) == (5, 4, 2)
    assert found["dropped"] == {
        "not_received": 1,
        "overwritten": 1,
        "rejected": 0,
        "failed": 0,
        "not_recorded": 1,
    }
    assert [frame["number"] for frame in found["dropped_frames"]] == [3, 4, 5]
    assert [frame["reason"] for frame in found["dropped_frames"]] == [None, None, "timeout"]
    assert found["latency"] == {"latency_ms": {"p50": 3.5, "p99": 4.0}}
    assert found["domain_distance"] is None  # of a model that does not tell
    far = {"domain_distance_typical": "2.250", "domain_distance_limit": "1.500"}
    known = replay_document(replace(replayed, after={**replayed.after, **far}), drive, stamps[:2])
    assert known["domain_distance"] == {"typical": 2.25, "limit": 1.5}
    # Until the later of the two maps: 3 ms for the first frame, 5 − 1 = 4 ms for the second.
    assert found["round_trip_ms"] == {"p50": pytest.approx(3.5), "p99": pytest.approx(3.99), "max": 4.0}


def test_what_the_node_expected_is_the_mean_of_its_reports() -> None:
    told = {"expected_accuracy": "0.8000", "expected_accuracy_kind": "corrected"}
    unknown = {"expected_accuracy": "unknown", "expected_accuracy_kind": "unknown"}
    reports = [{}, told, told | {"expected_accuracy": "0.7000"}, unknown]
    found = {"mean": pytest.approx(0.75), "kind": "corrected", "reports": 3, "unknown": 1}
    assert expected_accuracy(reports) == found
    assert expected_accuracy([unknown]) == {"mean": None, "kind": "unknown", "reports": 1, "unknown": 1}
    earlier = expected_accuracy([{"expected_accuracy": "0.8000"}])  # a node of an earlier version
    assert earlier is not None
    assert earlier["kind"] == "raw"
    assert expected_accuracy([{}]) is None


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (
            {"mean": 0.75, "kind": "corrected", "reports": 4, "unknown": 1},
            "expected accuracy by the node: 75.0% (corrected), unknown in 1 of 4 reports; true: 60.0%",
        ),
        (
            {"mean": None, "kind": "unknown", "reports": 4, "unknown": 4},
            "expected accuracy by the node: unknown; true: 60.0%",
        ),
    ],
)
def test_what_was_expected_stands_next_to_what_was_true(expected: dict[str, object], line: str) -> None:
    scores = {"full": {"images": 1, "miou": 0.5, "ece": 0.1, "accuracy": 0.6}}
    replay = {"frames_sent": 1, "frames_recorded": 1, "dropped_frames": [], "latency": {}}
    replay |= {"round_trip_ms": None, "expected_accuracy": expected}
    assert line in describe({"scores": scores, "replay": replay}).splitlines()


def test_nothing_has_no_percentiles() -> None:
    assert percentiles([]) is None
