"""What the node reports on ``/diagnostics``: the level and message, and the values by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from diagnostic_msgs.msg import DiagnosticStatus

from kd_seg_ros.inference.camera_faults import CameraFault
from kd_seg_ros.inference.card import FULL, ModelCard
from kd_seg_ros.inference.domain import DomainState
from kd_seg_ros.inference.drift import Drift
from kd_seg_ros.node.frame_statistics import Summary

QUANTITIES: Final = ("decode_ms", "inference_ms", "publish_ms", "latency_ms", "image_age_ms")
"""Milliseconds that are recorded per frame: three parts of the work; from arrival to published; from the
image's stamp to published."""
EVENTS: Final = ("received", "overwritten", "rejected", "failed", "published", "paused")
"""What can happen to a frame. ``overwritten``: a newer one came before it was taken, or the node was
deactivated; ``rejected``: it could not be decoded; ``failed``: the network failed on it; ``paused``: it came
while the node was switched off, and is not counted as received."""

DAMAGED: Final = "damaged"
"""Counted in addition for a frame that is used although it is damaged."""

STEADY: Final = 0.1
"""Largest change of a delay, as a part of it, that clocks which differ by a fixed time explain better than a
network does."""

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Activity(Enum):
    """Says what the node does with images."""

    INACTIVE = "inactive: a lifecycle manager has not activated the node"
    RUNNING = "running"
    IDLE = "idle: nobody listens to an output"
    PAUSED = "paused by segmentation/set_enabled"


@dataclass(frozen=True)
class Limits:
    """Limits beyond which the node warns or reports an error; 0: no limit."""

    processing_ms: float
    """Milliseconds from arrival to published, for 95 of 100 frames."""
    image_age_ms: float
    """Milliseconds from the image's stamp to published, for 95 of 100 frames."""
    no_image_s: float
    """Seconds without an image while the node is listening."""
    unknown_images: str = "warn"
    """Level of images that are unlike those of calibration: ``warn``, ``error`` or ``ignore``."""


@dataclass(frozen=True)
class State:
    """The node's state at the moment of a report."""

    activity: Activity
    topic: str
    """Full name of the image topic."""
    publishers: int
    """Number of the image topic's publishers."""
    silence_cause: str
    """Why no image comes, and what to do; read only if the silence is too long."""
    remedy: str
    """What to do against large images that do not come through."""
    silence_s: float
    """Seconds since the last image, or since the node began to listen."""
    lost: int
    """Number of images lost on the way since the start, as far as the middleware tells."""
    lost_before: int
    """Value of ``lost`` at the last report."""
    trouble: str
    """What is being done about a network that fails; empty while it works."""
    rejection: str
    """Why the last images were rejected; empty if the last was good."""
    stamps_ahead: str
    """Says that the images' stamps lie in the future, and why; empty if they do not."""
    provider: str
    """ONNX Runtime's name of what the network really runs on."""
    card: ModelCard
    model: str
    """Path of the model file."""
    sha256: str
    """SHA-256 of the model file."""
    memory_mb: float | None
    """Resident memory in 10⁶ bytes; None where the system does not tell."""
    now: Summary
    """Statistics of the frames up to now."""
    before: Summary
    """Statistics at the last report: what has happened since then decides about the level."""
    drift: Drift | None
    """Confidence of the last images; None without any, or if the card does not say what calibration saw."""
    domain: DomainState | None = None
    """How far the last images were from those of calibration; None without any, or if the file does not
    tell."""
    camera_fault: CameraFault | None = None
    """What has been wrong with the camera's images for long enough; None if nothing has."""
    drivable: str = ""
    """Threshold of the drivable pixels and where it comes from; empty if that topic is not offered."""


def assess(state: State, limits: Limits) -> tuple[bytes, str]:
    """Return the level and a line that says why: all findings, the worst first."""
    findings = [*_errors(state, limits), *_warnings(state, limits)]
    if findings:
        return findings[0][0], "; ".join(text for _, text in findings)
    if state.activity is not Activity.RUNNING:
        return OK, state.activity.value
    return OK, f"{state.now.rates.get('published', 0.0):.1f} frames per second"


def values(state: State) -> dict[str, str]:
    """Return the values of a report by name."""
    now, card = state.now, state.card
    result = {
        "state": state.activity.value.partition(":")[0].partition(" ")[0],
        "input_rate_hz": f"{now.rates.get('received', 0.0):.2f}",
        "output_rate_hz": f"{now.rates.get('published', 0.0):.2f}",
        **{f"frames_{event}": str(now.totals.get(event, 0)) for event in EVENTS},
        "frames_damaged": str(now.totals.get(DAMAGED, 0)),
        "frames_lost": str(state.lost),
        "camera_fault": state.camera_fault.name.lower() if state.camera_fault else "none",
    }
    for quantity in QUANTITIES:
        if quantity in now.percentiles:
            for name, value in zip(("p50", "p95", "p99"), now.percentiles[quantity], strict=True):
                result[f"{quantity}_{name}"] = f"{value:.2f}"
    result |= {
        "topic": state.topic,
        "topic_publishers": str(state.publishers),
        "provider": state.provider,
        "model": card.name,
        "model_file": state.model,
        "model_sha256": state.sha256,
        "calibration_error": _calibration_error(card),
    }
    if state.memory_mb is not None:
        result["memory_mb"] = f"{state.memory_mb:.1f}"
    if state.drivable:
        result["drivable_threshold"] = state.drivable
    if state.drift is not None:
        result |= {
            "expected_accuracy": f"{state.drift.expected_accuracy:.4f}",
            "expected_accuracy_latest_image": f"{state.drift.latest:.4f}",
            "expected_accuracy_in_calibration": f"{state.drift.low:.4f} to {state.drift.high:.4f}",
        }
    if state.domain is not None:
        result |= {
            "domain_distance": f"{state.domain.latest:.3f}, {state.domain.quantile}",
            "domain_distance_typical": f"{state.domain.typical:.3f}",
            "domain_distance_limit": f"{state.domain.limit:.3f}",
        }
    return result


def _calibration_error(card: ModelCard) -> str:
    """Return the card's calibration error and the images that it was measured on: never the camera's."""
    error = card.ece_after.get(FULL)
    if error is None:
        return "not measured"
    return f"{100 * error:.2f} % on {card.measured_on or 'the images it was calibrated on'}"


def _errors(state: State, limits: Limits) -> list[tuple[bytes, str]]:
    """List what makes a report an error."""
    found = []
    failed = _since(state, "failed")
    if state.trouble:
        found.append(state.trouble)
    elif failed:
        found.append(f"the network failed on {failed} frames")
    if state.activity is Activity.RUNNING and 0 < limits.no_image_s < state.silence_s:
        found.append(f"no image on {state.topic} for {state.silence_s:.0f} s: {state.silence_cause}")
    rejected = _since(state, "rejected")
    if rejected and state.rejection and not _since(state, "published"):
        found.append(f"all {rejected} frames were rejected, the last because: {state.rejection}")
    if limits.unknown_images == "error":
        found += _unknown_images(state)
    return [(ERROR, text) for text in found]


def _warnings(state: State, limits: Limits) -> list[tuple[bytes, str]]:
    """List what makes a report a warning."""
    found = []
    rejected = _since(state, "rejected")
    if rejected and (_since(state, "published") or not state.rejection):
        found.append(f"{rejected} frames could not be decoded")
    if state.camera_fault:
        found.append(state.camera_fault.value)
    damaged = _since(state, DAMAGED)
    if damaged:
        found.append(f"{damaged} damaged frames were used")
    if state.stamps_ahead:
        found.append(state.stamps_ahead)
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
            text = f"{name} {p95:.1f} ms (95th percentile), more than {limit:g} ms"
            found.append(text + (_share_of_node(state) if quantity == "image_age_ms" else ""))
    if limits.unknown_images == "warn":
        found += _unknown_images(state)
    drift = state.drift
    if drift is not None and drift.outside:
        found.append(
            f"the confidence is unlike that in calibration: expected accuracy {drift.expected_accuracy:.1%}, "
            f"{drift.low:.1%} to {drift.high:.1%} there"
        )
    return [(WARN, text) for text in found]


def _unknown_images(state: State) -> list[str]:
    """Say that the images are unlike those of calibration, if they are."""
    domain = state.domain
    if domain is None or not domain.unknown:
        return []
    return [
        f"the images are unlike those of calibration: domain distance {domain.typical:.2f}, of 99 in 100 "
        f"images there at most {domain.limit:.2f}; the confidence cannot be trusted"
    ]


def _share_of_node(state: State) -> str:
    """Say whose part of an image's age is large: the node's, the way's, or that of clocks that differ."""
    age_p50, _, age_p99 = state.now.percentiles["image_age_ms"]
    latency_p50, latency_p95, latency_p99 = state.now.percentiles.get("latency_ms", (0.0, 0.0, 0.0))
    before, varies = age_p50 - latency_p50, age_p99 - age_p50
    if before < latency_p50:
        return ""  # most of it is the node's own
    text = f"; the node takes {latency_p95:.1f} ms of it, the rest lies before: the way from the camera"
    if varies < STEADY * before + (latency_p99 - latency_p50):
        return f"{text}, or clocks that differ, since it hardly varies (camera behind, this machine ahead)"
    return text


def _since(state: State, event: str) -> int:
    """Return the number of frames to which something has happened since the last report."""
    return state.now.totals.get(event, 0) - state.before.totals.get(event, 0)
