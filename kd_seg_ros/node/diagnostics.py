"""The node's state, its level and its numbers, as ``diagnostic_msgs`` want them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from diagnostic_msgs.msg import DiagnosticStatus

from kd_seg_ros.inference.card import FULL, ModelCard
from kd_seg_ros.inference.drift import Drift
from kd_seg_ros.node.frame_statistics import Summary

QUANTITIES: Final = ("decode_ms", "inference_ms", "publish_ms", "latency_ms", "image_age_ms")
"""Recorded per frame: the parts of the work; arrival to published; source stamp to published."""
EVENTS: Final = ("received", "overwritten", "rejected", "failed", "published", "paused")
"""What can happen to a frame: a newer one came before it was taken; it could not be decoded; the network
failed on it; it came while the node was switched off, and is not counted as received."""

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Activity(Enum):
    """What the node does with images."""

    RUNNING = "running"
    IDLE = "idle: nobody listens to an output"
    PAUSED = "paused by segmentation/set_enabled"


@dataclass(frozen=True)
class Limits:
    """Beyond which the state is not well; 0: never."""

    processing_ms: float
    image_age_ms: float
    no_image_s: float


@dataclass(frozen=True)
class State:
    """All that a report is made of."""

    activity: Activity
    topic: str
    publishers: int
    """Of the topic."""
    obstacle: str
    """Why those that there are cannot be heard; empty if they can."""
    remedy: str
    """Against large images that do not come through."""
    silence_s: float
    """Since the last image, or since the node began to listen."""
    lost: int
    """Images lost on the way since the start, as far as the middleware tells."""
    lost_before: int
    """At the last report."""
    trouble: str
    """What is being done about a network that fails; empty while it works."""
    provider: str
    card: ModelCard
    model: str
    """Path of the file."""
    sha256: str
    memory_mb: float | None
    now: Summary
    before: Summary
    """Of the last report: what was lost since then decides about the level."""
    drift: Drift | None
    """Of the last images; None without any, or if the card does not know what calibration saw."""


def assess(state: State, limits: Limits) -> tuple[bytes, str]:
    """Return the level and a line that says why: all complaints, the worst first."""
    findings = [*_errors(state, limits), *_warnings(state, limits)]
    if findings:
        return findings[0][0], "; ".join(text for _, text in findings)
    if state.activity is not Activity.RUNNING:
        return OK, state.activity.value
    return OK, f"{state.now.rates.get('published', 0.0):.1f} frames a second"


def values(state: State) -> dict[str, str]:
    """Return the numbers by name."""
    now, card = state.now, state.card
    result = {
        "state": state.activity.value.partition(":")[0].partition(" ")[0],
        "input_rate_hz": f"{now.rates.get('received', 0.0):.2f}",
        "output_rate_hz": f"{now.rates.get('published', 0.0):.2f}",
        **{f"frames_{event}": str(now.totals.get(event, 0)) for event in EVENTS},
        "frames_lost": str(state.lost),
    }
    for quantity in QUANTITIES:
        if quantity in now.percentiles:
            for name, value in zip(("p50", "p95", "p99"), now.percentiles[quantity], strict=True):
                result[f"{quantity}_{name}"] = f"{value:.2f}"
    ece = card.ece_after.get(FULL)
    result |= {
        "topic": state.topic,
        "topic_publishers": str(state.publishers),
        "provider": state.provider,
        "model": card.name,
        "model_file": state.model,
        "model_sha256": state.sha256,
        "calibration_error": "not measured" if ece is None else f"{ece:.4f}",
    }
    if state.memory_mb is not None:
        result["memory_mb"] = f"{state.memory_mb:.1f}"
    if state.drift is not None:
        result |= {
            "expected_accuracy": f"{state.drift.expected_accuracy:.4f}",
            "expected_accuracy_latest_image": f"{state.drift.latest:.4f}",
            "expected_accuracy_in_calibration": f"{state.drift.low:.4f} to {state.drift.high:.4f}",
        }
    return result


def _errors(state: State, limits: Limits) -> list[tuple[bytes, str]]:
    found = []
    if state.trouble:
        found.append(state.trouble)
    elif failed := _since(state, "failed"):
        found.append(f"the network failed on {failed} frames")
    if state.activity is Activity.RUNNING and 0 < limits.no_image_s < state.silence_s:
        silence = f"no image on {state.topic} for {state.silence_s:.0f} s"
        if state.publishers:
            number = f"{state.publishers} publisher{'s' if state.publishers > 1 else ''}"
            found.append(f"{silence}, though it has {number}: {state.obstacle or state.remedy}")
        else:
            found.append(f"{silence}: nobody publishes it")
    return [(ERROR, text) for text in found]


def _warnings(state: State, limits: Limits) -> list[tuple[bytes, str]]:
    found = []
    if rejected := _since(state, "rejected"):
        found.append(f"{rejected} frames could not be decoded")
    received = _since(state, "received")
    lost = state.lost - state.lost_before
    if lost > received:
        found.append(f"{lost} images were lost on the way and {received} arrived: {state.remedy}")
    for quantity, limit, name in (
        ("latency_ms", limits.processing_ms, "processing takes"),
        ("image_age_ms", limits.image_age_ms, "images are old when their mask is published:"),
    ):
        p95 = state.now.percentiles.get(quantity, (0.0, 0.0, 0.0))[1]
        if 0 < limit < p95:
            found.append(f"{name} {p95:.1f} ms (95th percentile), more than {limit:g} ms")
    drift = state.drift
    if drift is not None and drift.outside:
        found.append(
            f"the confidence is unlike that in calibration: expected accuracy {drift.expected_accuracy:.1%}, "
            f"{drift.low:.1%} to {drift.high:.1%} there"
        )
    return [(WARN, text) for text in found]


def _since(state: State, event: str) -> int:
    return state.now.totals.get(event, 0) - state.before.totals.get(event, 0)
