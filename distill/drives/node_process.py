"""Waiting until the node under test is ready and until it is done, by what it says on /diagnostics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.topics import DIAGNOSTICS

if TYPE_CHECKING:
    from distill.drives.recorder import Recorder

PATIENCE_S: Final = 60.0
"""Seconds to wait for the next sign of life."""
STAGES: Final = {
    "decode_ms": "decoding the message",
    "inference_ms": "network",
    "publish_ms": "publishing",
    "latency_ms": "arrival to published",
}
"""Durations that the node measures for each frame and reports as percentiles, with what they are."""
OUTCOMES: Final = ("frames_published", "frames_overwritten", "frames_rejected", "frames_failed")
"""The node's counters of what became of a frame that it received: one of them goes up for each."""

_QUIET_S: Final = 5.0  # without any change: nothing more is to be expected

Watch = Callable[[], None]
"""Raises ProcessError if what must run does not run any more."""


def wait_until_ready(recorder: Recorder, watch: Watch, ready: Callable[[], bool], patience: float) -> None:
    """Wait for the node's first report: then it has loaded its model and knows this process.

    :param ready: whether the node says that it is; only from then on the wait is limited.
    :raises ProcessError: if there is none within ``patience`` s.
    """
    since = None
    while not recorder.reports:
        recorder.spin(0.1)
        watch()
        if since is None and ready():
            since = time.monotonic()
        if since is not None and time.monotonic() > since + patience:
            raise ProcessError(
                f"no node in namespace {recorder.outputs.namespace or '/'} has reported on {DIAGNOSTICS} "
                f"within {patience:g} s: see whether it runs, and whether ROS_DOMAIN_ID, RMW_IMPLEMENTATION "
                "and the Fast DDS profile let two processes talk to each other"
            )


def wait_until_settled(recorder: Recorder, watch: Watch) -> None:
    """Wait until every frame that reached the node has been dealt with and nothing more comes.

    :raises ProcessError: if the node falls silent.
    """
    state: tuple[int, ...] = ()
    changed_at = heard_at = time.monotonic()
    reports_at_change = reports_heard = len(recorder.reports)
    while True:
        recorder.spin(0.1)
        watch()
        now = time.monotonic()
        # The node's counters and the number of maps that have arrived here tell whether anything still moves.
        received, done = frames(recorder.reports[-1])
        latest = (received, done, *(recorder.counts[topic] for topic in recorder.arrivals))
        if latest != state:
            state, changed_at, reports_at_change = latest, now, len(recorder.reports)
        if len(recorder.reports) != reports_heard:
            heard_at, reports_heard = now, len(recorder.reports)
        # Three reports without a change: the maps that the last counters speak of have had time to arrive. A
        # frame that is lost inside the node would never be done: after a while that no longer matters.
        fresh = len(recorder.reports) >= reports_at_change + 3
        if fresh and (received == done or now > changed_at + _QUIET_S):
            return
        if now > heard_at + PATIENCE_S:
            raise ProcessError(f"the node has not reported on {DIAGNOSTICS} for {PATIENCE_S:g} s")


def frames(report: Mapping[str, str]) -> tuple[int, int]:
    """Return how many frames the node has received and how many of them it is done with."""
    return int(report["frames_received"]), sum(int(report[outcome]) for outcome in OUTCOMES)


def counts(report: Mapping[str, str], before: Mapping[str, str]) -> dict[str, int]:
    """Return how many frames the node received between two reports, and what became of them."""
    return {key: int(report[key]) - int(before[key]) for key in ("frames_received", *OUTCOMES)}


def latency(report: Mapping[str, str]) -> dict[str, Any]:
    """Return the node's own percentiles of its last 10 s by stage, ms."""
    found: dict[str, Any] = {}
    for stage in STAGES:
        if f"{stage}_p50" in report:
            found[stage] = {name: float(report[f"{stage}_{name}"]) for name in ("p50", "p99")}
    return found
