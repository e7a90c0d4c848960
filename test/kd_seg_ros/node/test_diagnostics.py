"""Levels and numbers of the node's state."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny_model

pytest.importorskip("diagnostic_msgs")

from kd_seg_ros.inference.camera_faults import CameraFault
from kd_seg_ros.inference.domain import DomainState
from kd_seg_ros.inference.drift import Drift
from kd_seg_ros.node.diagnostics import ERROR, OK, WARN, Activity, Limits, State, assess, values
from kd_seg_ros.node.frame_statistics import Summary

NOTHING = Summary({}, {}, {})
BEFORE = Summary({"received": 100, "rejected": 3, "failed": 1}, {}, {})
NOW = Summary(
    {"received": 130, "published": 120, "rejected": 3, "failed": 1, "overwritten": 6},
    {"received": 30.0, "published": 20.04},
    {"latency_ms": (10.0, 20.0, 30.0), "image_age_ms": (40.0, 50.0, 60.0)},
)
LIMITS = Limits(processing_ms=25.0, image_age_ms=55.0, no_image_s=5.0)
WELL = State(
    activity=Activity.RUNNING,
    topic="/camera/image_raw",
    publishers=1,
    silence_cause="it has 1 publisher, but nothing arrives",
    remedy="large images need help",
    silence_s=0.03,
    lost=5,
    lost_before=5,
    trouble="",
    rejection="",
    stamps_ahead="",
    provider="CPUExecutionProvider",
    card=tiny_model.card(4, 6),
    model="/models/tiny.onnx",
    sha256="ab" * 32,
    memory_mb=123.45,
    now=NOW,
    before=BEFORE,
    drift=Drift(0.9, 0.8, 0.95, 7, 0.91),
)


def test_all_is_well() -> None:
    assert assess(WELL, LIMITS) == (OK, "20.0 frames per second")


@pytest.mark.parametrize(
    ("changes", "level", "message"),
    [
        ({"camera_fault": CameraFault.BLACK}, WARN, CameraFault.BLACK.value),
        ({"camera_fault": CameraFault.FROZEN}, WARN, CameraFault.FROZEN.value),
        ({"before": NOTHING}, ERROR, "the network failed on 1 frames; 3 frames could not be decoded"),
        ({"trouble": "lost; attempt 1 of 3"}, ERROR, "lost; attempt 1 of 3"),
        (
            {"silence_s": 6.0},
            ERROR,
            "no image on /camera/image_raw for 6 s: it has 1 publisher, but nothing arrives",
        ),
        (
            {"rejection": "mono7 is no encoding", "before": Summary(NOW.totals | {"rejected": 1}, {}, {})},
            ERROR,
            "all 2 frames were rejected, the last because: mono7 is no encoding",
        ),
        (
            {"rejection": "mono7 is no encoding", "before": Summary({"rejected": 1, "failed": 1}, {}, {})},
            WARN,
            "2 frames could not be decoded",
        ),
        (
            {"now": Summary({"received": 9, "published": 9, "damaged": 2}, {}, {}), "before": NOTHING},
            WARN,
            "2 damaged frames were used",
        ),
        ({"stamps_ahead": "stamps lie in the future"}, WARN, "stamps lie in the future"),
        ({"activity": Activity.INACTIVE, "silence_s": 60.0}, OK, "inactive: a lifecycle manager"),
        ({"lost": 36}, WARN, "31 images were lost on the way and 30 arrived: large images need"),
        (
            {"drift": Drift(0.7, 0.8, 0.95, 7, 0.7)},
            WARN,
            "unlike that in calibration: expected accuracy 70.0%",
        ),
        ({"activity": Activity.IDLE, "silence_s": 60.0}, OK, "idle: nobody listens to an output"),
        ({"activity": Activity.PAUSED, "silence_s": 60.0}, OK, "paused by segmentation/set_enabled"),
    ],
)
def test_what_is_not(changes: dict[str, object], level: bytes, message: str) -> None:
    found, text = assess(replace(WELL, **changes), LIMITS)  # type: ignore[arg-type]
    assert found == level
    assert message in text


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(19.9, 55.0, 5.0), "processing takes 20.0 ms (95th percentile), more than 19.9 ms"),
        (Limits(25.0, 49.0, 5.0), "published: 50.0 ms (95th percentile), more than 49 ms"),
    ],
)
def test_limits(limits: Limits, message: str) -> None:
    level, text = assess(WELL, limits)
    assert level == WARN
    assert message in text


@pytest.mark.parametrize(
    ("age", "whose"),
    [
        ((40.0, 60.0, 70.0), "the rest lies before: the way from the camera"),
        ((5000.0, 5001.0, 5002.0), "or clocks that differ, since it hardly varies"),
        ((12.0, 60.0, 90.0), ""),
    ],
)
def test_an_old_image_is_blamed_on_what_made_it_old(age: tuple[float, float, float], whose: str) -> None:
    now = replace(NOW, percentiles={"latency_ms": (10.0, 20.0, 30.0), "image_age_ms": age})
    _, text = assess(replace(WELL, now=now), LIMITS)
    assert "images are old when their mask is published" in text
    assert text.endswith("more than 55 ms") if not whose else whose in text
    assert ("clocks" in text) == ("clocks" in whose)


def test_no_limit_no_complaint() -> None:
    slow = replace(WELL, silence_s=1e6)
    assert assess(slow, Limits(0.0, 0.0, 0.0))[0] == OK


def test_losses_that_arrivals_outweigh_are_no_complaint() -> None:
    assert assess(replace(WELL, lost=35), LIMITS)[0] == OK


def test_numbers() -> None:
    found = values(WELL)
    expected = {
        "state": "running",
        "input_rate_hz": "30.00",
        "output_rate_hz": "20.04",
        "frames_received": "130",
        "frames_overwritten": "6",
        "frames_paused": "0",
        "frames_lost": "5",
        "latency_ms_p50": "10.00",
        "latency_ms_p95": "20.00",
        "latency_ms_p99": "30.00",
        "image_age_ms_p99": "60.00",
        "topic_publishers": "1",
        "provider": "CPUExecutionProvider",
        "model": "tiny",
        "model_file": "/models/tiny.onnx",
        "model_sha256": "ab" * 32,
        "calibration_error": "5.00 % on the images it was calibrated on",
        "memory_mb": "123.5",
        "expected_accuracy": "0.9000",
        "expected_accuracy_latest_image": "0.9100",
        "expected_accuracy_in_calibration": "0.8000 to 0.9500",
    }
    assert {key: found[key] for key in expected} == expected
    assert "decode_ms_p50" not in found, "nothing was decoded"


def test_numbers_that_are_not_known() -> None:
    found = values(replace(WELL, memory_mb=None, drift=None, card=tiny_model.card(4, 6, ece_after={})))
    assert "memory_mb" not in found
    assert "expected_accuracy" not in found
    assert found["calibration_error"] == "not measured"
    card = tiny_model.card(4, 6, ece_after={"full": 0.012}, measured_on="203 images of acdc in cameras, val")
    error = values(replace(WELL, card=card))["calibration_error"]
    assert error == "1.20 % on 203 images of acdc in cameras, val"
    assert values(replace(WELL, activity=Activity.PAUSED))["state"] == "paused"


UNKNOWN = DomainState(3.5, 3.25, 1.5, "above the 99.9th percentile", True)


def test_images_that_calibration_did_not_see() -> None:
    assert assess(replace(WELL, domain=replace(UNKNOWN, unknown=False)), LIMITS)[0] == OK
    lost = replace(WELL, domain=UNKNOWN)
    level, text = assess(lost, LIMITS)
    assert level == WARN
    assert "unlike those of calibration: domain distance 3.25, of 99 in 100 images there at most 1.50" in text
    assert assess(lost, replace(LIMITS, unknown_images="error")) == (ERROR, text)
    assert assess(lost, replace(LIMITS, unknown_images="ignore"))[0] == OK
    found = values(lost)
    assert found["domain_distance"] == "3.500, above the 99.9th percentile"
    assert (found["domain_distance_typical"], found["domain_distance_limit"]) == ("3.250", "1.500")
    assert "domain_distance" not in values(WELL)
