"""The node's state as ``diagnostic_msgs/DiagnosticArray``."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from kd_seg_ros.card import ModelCard
from kd_seg_ros.frame_statistics import Summary
from kd_seg_ros.trust import Drift

QUANTITIES = ("decode_ms", "inference_ms", "publish_ms", "latency_ms", "image_age_ms")
"""Recorded per frame: the parts of the work; arrival to published; source stamp to published."""
EVENTS = ("received", "overwritten", "rejected", "failed", "published")
"""What can happen to a frame: a newer one came before it was taken; it could not be decoded; the network
failed on it."""


def diagnostic_array(
    node: str,
    stamp: Time,
    topic: str,
    provider: str,
    card: ModelCard,
    now: Summary,
    before: Summary,
    drift: Drift | None,
) -> DiagnosticArray:
    """Report the present state.

    :param before: what the last report was made of; frames lost since then decide about the level.
    :param drift: of the last images; None without any, or if the card does not know what calibration saw.
    """
    level, message = _level(topic, now, before, drift)
    values: dict[str, str] = {
        "input_rate_hz": f"{now.rates.get('received', 0.0):.2f}",
        "output_rate_hz": f"{now.rates.get('published', 0.0):.2f}",
        **{f"frames_{event}": str(now.totals.get(event, 0)) for event in EVENTS},
    }
    for quantity in QUANTITIES:
        if quantity in now.percentiles:
            p50, p99 = now.percentiles[quantity]
            values |= {f"{quantity}_p50": f"{p50:.2f}", f"{quantity}_p99": f"{p99:.2f}"}
    ece = card.ece_after.get("full")
    values |= {
        "topic": topic,
        "provider": provider,
        "model": card.name,
        "calibration_error": "not measured" if ece is None else f"{ece:.4f}",
    }
    if drift is not None:
        values |= {
            "expected_accuracy": f"{drift.expected_accuracy:.4f}",
            "expected_accuracy_latest_image": f"{drift.latest:.4f}",
            "expected_accuracy_in_calibration": f"{drift.low:.4f} to {drift.high:.4f}",
        }
    status = DiagnosticStatus(
        level=level,
        name=f"{node}: segmentation",
        message=message,
        hardware_id=provider,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array


def _level(topic: str, now: Summary, before: Summary, drift: Drift | None) -> tuple[bytes, str]:
    failed, rejected = (
        now.totals.get(event, 0) - before.totals.get(event, 0) for event in ("failed", "rejected")
    )
    if failed:
        return DiagnosticStatus.ERROR, f"the network failed on {failed} frames"
    if rejected:
        return DiagnosticStatus.WARN, f"{rejected} frames could not be decoded"
    if "received" not in now.rates:
        return DiagnosticStatus.WARN, f"no image on {topic}"
    if drift is not None and drift.outside:
        return DiagnosticStatus.WARN, (
            f"the confidence is unlike that in calibration: expected accuracy {drift.expected_accuracy:.1%}, "
            f"{drift.low:.1%} to {drift.high:.1%} there"
        )
    return DiagnosticStatus.OK, f"{now.rates.get('published', 0.0):.1f} frames a second"
