"""What a replay through the node has shown: the document for metrics.json, and its short form in words."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distill.drives.consistency import describe_consistency
from distill.drives.drive import Drive
from distill.drives.node_process import counts, latency
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.accuracy import RAW, UNKNOWN
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE

if TYPE_CHECKING:
    from distill.evaluation.mask_scores import MaskScores


@dataclass(frozen=True)
class Replayed:
    """What happened during a replay; the maps themselves are in the recording."""

    mode: str
    """``real time`` or ``lock-step``."""
    rate: float | None
    """Speed, 1 = as recorded; None in lock-step."""
    before: Mapping[str, str]
    """The node's report before the first frame."""
    after: Mapping[str, str]
    """The node's report after the last frame."""
    sent: Mapping[int, int]
    """Moment at which each frame was published, ns since 1970, by header stamp (ns)."""
    arrivals: Mapping[str, Mapping[int, int]]
    """Moment at which each map arrived, ns since 1970, by topic, then header stamp (ns)."""
    unanswered: Mapping[int, str]
    """Reason why a frame has no answer, by header stamp, where that is known of single frames."""
    timing_error: Mapping[str, float] | None
    """How late frames were published: p50, p99 and max in ms; None in lock-step, where none is due."""
    reports: Sequence[Mapping[str, str]] = ()
    """The node's reports during the replay, oldest first."""
    commands: Sequence[str] = ()
    """The shell commands that were run, for a report."""

    def with_commands(self, commands: Sequence[str]) -> Replayed:
        """Return the same with the commands that were run."""
        return replace(self, commands=commands)


def replay_document(replayed: Replayed, drive: Drive, answered: Collection[int]) -> dict[str, Any]:
    """Return plain values: what was sent, what became of it, and how long that took."""
    seen = counts(replayed.after, replayed.before)
    dropped = {
        "not_received": max(len(drive.frames) - seen["frames_received"], 0),
        **{name: seen[f"frames_{name}"] for name in ("overwritten", "rejected", "failed")},
        "not_recorded": max(seen["frames_published"] - len(answered), 0),
    }
    return {
        "mode": replayed.mode,
        "rate": replayed.rate,
        "provider": replayed.after["provider"],
        "frames_sent": len(drive.frames),
        **seen,
        "frames_recorded": len(answered),
        "dropped": dropped,
        "dropped_frames": [
            {"number": frame.number, "stamp_ns": stamp, "reason": replayed.unanswered.get(stamp)}
            for stamp, frame in drive.frames.items()
            if stamp not in answered
        ],
        "expected_accuracy": expected_accuracy(replayed.reports),
        "latency": latency(replayed.after),
        "domain_distance": _domain_distance(replayed.after),
        "round_trip_ms": _round_trip(replayed.sent, replayed.arrivals),
        "timing_error_ms": None if replayed.timing_error is None else dict(replayed.timing_error),
    }


def expected_accuracy(reports: Sequence[Mapping[str, str]]) -> dict[str, Any] | None:
    """Return what share of the pixels the node took for right, without labels; None if it did not say.

    :param reports: the node's, during the replay.
    :return: ``mean`` over the reports that tell it (0…1; None if none does), ``kind`` as in
        :mod:`kd_seg_ros.inference.accuracy`, the number of ``reports``, and of those that are ``unknown``.
    """
    told = [report for report in reports if "expected_accuracy" in report]
    if not told:
        return None
    known = [report for report in told if report["expected_accuracy"] != UNKNOWN]
    figures = [float(report["expected_accuracy"]) for report in known]
    return {
        "mean": float(np.mean(figures)) if figures else None,
        # A node of an earlier version does not say, and its figures are raw.
        "kind": known[-1].get("expected_accuracy_kind", RAW) if known else UNKNOWN,
        "reports": len(told),
        "unknown": len(told) - len(known),
    }


def _domain_distance(report: Mapping[str, str]) -> dict[str, float] | None:
    """Return how far the last images were from those of calibration; None of a model that does not tell.

    ``typical`` is the median over the node's ``domain_window``, ``limit`` the 99th percentile of calibration.
    """
    try:
        found = {name: float(report[f"{DOMAIN_DISTANCE}_{name}"]) for name in ("typical", "limit")}
    except (KeyError, ValueError):
        return None
    return found if math.isfinite(found["typical"]) else None


def document(
    scores: MaskScores, drive: Drive, model: Path | None, name: str, replay: dict[str, Any]
) -> dict[str, Any]:
    """Return the content of metrics.json; see docs/metrics.md and docs/replay.md.

    :param model: None: unknown, as of a node that was running already.
    :param name: what the node calls its model.
    """
    from distill.evaluation.metrics_json import metrics_document

    digest = sha256(model) if model else None
    data = {"bag": str(drive.bag), "topic": drive.topic, "labels_topic": drive.labels_topic}
    about = {"file": model.name if model else None, "sha256": digest, "name": name}
    return metrics_document(scores.summary(), scores.class_names, about, data) | {"replay": replay}


def describe(content: dict[str, Any]) -> str:
    """Return the scores and what became of the frames as a few lines of text."""
    width = max(10, *map(len, content["scores"]))
    lines = [f"{'condition':{width}} {'frames':>6} {'mIoU':>7} {'ECE':>7}"]
    for condition, scores in content["scores"].items():
        numbers = f"{_percent(scores['miou'])} {_percent(scores['ece'])}"
        lines.append(f"{condition:{width}} {scores['images']:6} {numbers}")
    lines += describe_consistency(content.get("consistency", {}))
    replay = content["replay"]
    lines.append(f"{replay['frames_sent']} frames sent, {replay['frames_recorded']} answered")
    if replay["dropped_frames"]:
        reasons = ", ".join(f"{count} {name}" for name, count in replay["dropped"].items() if count)
        numbers = ", ".join(str(frame["number"]) for frame in replay["dropped_frames"][:10])
        more = ", …" if len(replay["dropped_frames"]) > 10 else ""
        lines.append(f"dropped: {reasons or 'by no known cause'} (frames {numbers}{more})".replace("_", " "))
    if replay.get("expected_accuracy"):
        lines.append(_expected(replay["expected_accuracy"], content["scores"]["full"].get("accuracy")))
    trip = replay["round_trip_ms"]
    if trip:
        lines.append(f"published to answered: {trip['p50']:.1f} ms (p50), {trip['p99']:.1f} ms (p99)")
    inside = replay["latency"].get("latency_ms")
    if inside:
        lines.append(f"in the node: {inside['p50']:.1f} ms (p50), {inside['p99']:.1f} ms (p99)")
    return "\n".join(lines)


def _expected(expected: Mapping[str, Any], truth: float | None) -> str:
    """Return what the node expected next to what was true, in words.

    :param truth: share of the labelled pixels that are right, 0…1; None if there are none.
    """
    share = UNKNOWN if expected["mean"] is None else f"{expected['mean']:.1%} ({expected['kind']})"
    text = f"expected accuracy by the node: {share}"
    if expected["unknown"] and expected["mean"] is not None:
        text += f", unknown in {expected['unknown']} of {expected['reports']} reports"
    return text if truth is None else f"{text}; true: {truth:.1%}"


def percentiles(milliseconds: Collection[float]) -> dict[str, float] | None:
    """Return p50, p99 and max of some durations in ms; None where there are none."""
    values = list(milliseconds)
    if not values:
        return None
    p50, p99 = np.percentile(values, [50, 99]).tolist()
    return {"p50": p50, "p99": p99, "max": max(values)}


def _round_trip(
    sent: Mapping[int, int], arrivals: Mapping[str, Mapping[int, int]]
) -> dict[str, float] | None:
    """Return percentiles of the time from a frame's publishing until its last map has arrived, ms."""
    milliseconds = []
    for stamp, published in sent.items():
        moments = [maps[stamp] for maps in arrivals.values() if stamp in maps]
        if len(moments) == len(arrivals):
            milliseconds.append((max(moments) - published) * 1e-6)
    return percentiles(milliseconds)


def _percent(value: float | None) -> str:
    return f"{'–':>7}" if value is None else f"{100 * value:5.1f} %"
