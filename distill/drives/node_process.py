"""The node that is replayed to: its command, and waiting until it is ready and until it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from distill.drives.processes import ReplayError
from kd_seg_ros.common.topics import DIAGNOSTICS

if TYPE_CHECKING:
    from distill.drives.recorder import Recorder

PATIENCE_S: Final = 60.0
"""For the next sign of life."""
STAGES: Final = {
    "decode_ms": "decoding the message",
    "inference_ms": "network",
    "publish_ms": "publishing",
    "latency_ms": "arrival to published",
}
"""What the node times per frame, and reports as percentiles."""
OUTCOMES: Final = ("frames_published", "frames_overwritten", "frames_rejected", "frames_failed")
"""What the node counts of what became of a frame it received."""

_QUIET_S: Final = 5.0  # after which nothing more is to be expected
_PERIOD_S: Final = 0.5  # of the node's reports

Watch = Callable[[], None]
"""Raises ReplayError if what must run does not run any more."""


def node_command(model: Path, provider: str, compressed: bool, remapping: Sequence[str]) -> list[str]:
    """Return the arguments to Python that start a node; ``remapping`` as ``old:=new``."""
    quoted = json.dumps(str(model), ensure_ascii=False)  # a parameter's value is read as YAML
    parameters = [
        f"model:={quoted}",
        f"provider:={provider}",
        f"compressed:={str(compressed).lower()}",
        "overlay:=false",
        f"diagnostics.period_s:={_PERIOD_S}",
    ]
    return [
        *("-m", "kd_seg_ros.node.segmentation_node", "--ros-args"),
        *(word for rule in remapping for word in ("-r", rule)),
        *(word for parameter in parameters for word in ("-p", parameter)),
    ]


def wait_until_ready(recorder: Recorder, watch: Watch, ready: Callable[[], bool], patience: float) -> None:
    """Wait for the node's first report: then it has loaded its model and knows this process.

    :param ready: whether the node says that it is; only from then on the wait is limited.
    :raises ReplayError: if there is none within ``patience`` s.
    """
    since = None
    while not recorder.reports:
        recorder.spin(0.1)
        watch()
        if since is None and ready():
            since = time.monotonic()
        if since is not None and time.monotonic() > since + patience:
            raise ReplayError(
                f"no node in namespace {recorder.outputs.namespace or '/'} has reported on {DIAGNOSTICS} "
                f"within {patience:g} s: see whether it runs, and whether ROS_DOMAIN_ID, RMW_IMPLEMENTATION "
                "and the Fast DDS profile let two processes talk to each other"
            )


def wait_until_settled(recorder: Recorder, watch: Watch) -> None:
    """Wait until every frame that reached the node has met its fate and nothing more comes.

    :raises ReplayError: if the node falls silent.
    """
    state: tuple[int, ...] = ()
    since = heard = time.monotonic()
    reports = count = len(recorder.reports)
    while True:
        recorder.spin(0.1)
        watch()
        now = time.monotonic()
        received, done = frames(recorder.reports[-1])
        latest = (received, done, *(recorder.counts[topic] for topic in recorder.arrivals))
        if latest != state:
            state, since, reports = latest, now, len(recorder.reports)
        if len(recorder.reports) != count:
            heard, count = now, len(recorder.reports)
        fresh = len(recorder.reports) >= reports + 3
        if fresh and (received == done or now > since + _QUIET_S):
            return
        if now > heard + PATIENCE_S:
            raise ReplayError(f"the node has not reported on {DIAGNOSTICS} for {PATIENCE_S:g} s")


def frames(report: Mapping[str, str]) -> tuple[int, int]:
    """Return how many frames the node has received and how many of them it is done with."""
    return int(report["frames_received"]), sum(int(report[outcome]) for outcome in OUTCOMES)


def counts(report: Mapping[str, str], before: Mapping[str, str]) -> dict[str, int]:
    """Return how many frames the node received between two reports, and what became of them."""
    return {key: int(report[key]) - int(before[key]) for key in ("frames_received", *OUTCOMES)}


def latency(report: Mapping[str, str]) -> dict[str, Any]:
    """Return the node's own percentiles of its last 10 s by stage, ms."""
    return {
        stage: {name: float(report[f"{stage}_{name}"]) for name in ("p50", "p99")}
        for stage in STAGES
        if f"{stage}_p50" in report
    }
