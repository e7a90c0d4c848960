"""Replays a drive through the node over DDS, each in its own process, and records what the node says."""

from __future__ import annotations

import json
import shlex
import statistics
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from drive import Drive
from processes import Process, ReplayError
from recorder import Recorder
from recording import CONFIDENCE, MASK, STAGES

from kd_seg_ros.decode import DecodeError
from kd_seg_ros.engine import Engine
from kd_seg_ros.errors import UserError

LOAD: Final = 0.7
"""Share of the time between two frames that the network may take; the rest is for the other processes."""

_PROGRESS_S: Final = 5.0
_PATIENCE_S: Final = 60.0  # for the next sign of life
_OUTCOMES: Final = ("frames_published", "frames_overwritten", "frames_rejected", "frames_failed")


@dataclass(frozen=True)
class Replay:
    """What has happened."""

    rate: float
    """Speed, 1 = as recorded."""
    report: dict[str, str]
    """The node's last report on ``/diagnostics``."""
    commands: list[str]
    """What was run."""

    def summary(self) -> dict[str, Any]:
        """Return plain values for metrics.json; latencies are those of the last 10 s."""
        latency = {
            stage: {name: float(self.report[f"{stage}_{name}"]) for name in ("p50", "p99")}
            for stage in STAGES
            if f"{stage}_p50" in self.report
        }
        frames = {name: int(self.report[name]) for name in ("frames_received", *_OUTCOMES)}
        return {"rate": self.rate, "provider": self.report["provider"], **frames, "latency": latency}


def milliseconds_per_frame(drive: Drive, engine: Engine) -> float:
    """Measure the network on the first frames.

    :raises UserError: if they cannot be decoded.
    """
    times = []
    try:
        for _, image, _ in drive.images(set(islice(drive.frames, 5))):
            start = time.perf_counter()
            engine.segment(image)
            times.append(1e3 * (time.perf_counter() - start))
    except DecodeError as error:
        raise UserError(f"{drive.bag}: {drive.topic}: {error}") from error
    return statistics.median(times[1:] or times)  # the first run also allocates


def replay(drive: Drive, model: Path, provider: str, rate: float, out: Path) -> Replay:
    """Replay a drive and record the answers into ``out/recording``.

    :raises ReplayError: if the node or the player fails.
    """
    node_command, player_command = _node_command(drive, model, provider), _player_command(drive, rate)
    with (
        Recorder(out / "recording") as recorder,
        Process("node", [sys.executable, *node_command], out / "node.log") as node,
    ):
        _wait_until_ready(node, recorder)
        with Process("player", [sys.executable, *player_command], out / "player.log") as player:
            shown = time.monotonic()
            while player.running:
                recorder.spin(0.1)
                node.must_run()
                if time.monotonic() > shown + _PROGRESS_S:
                    shown = time.monotonic()
                    print(f"    {recorder.counts[MASK]} masks of {len(drive.frames)} frames", flush=True)
            player.must_succeed()
        _wait_until_settled(node, recorder)
        node.interrupt()
        node.must_succeed()
        report = recorder.reports[-1]
    return Replay(rate, report, [shlex.join(["python", *c]) for c in (node_command, player_command)])


def _node_command(drive: Drive, model: Path, provider: str) -> list[str]:
    """Return the node's arguments, with its topic and parameters set for the drive."""
    base = drive.topic.removesuffix("/compressed") if drive.compressed else drive.topic
    remaps = [f"image:={base}"]
    if drive.compressed and drive.topic == base:  # compressed images under a name of their own
        remaps.append(f"{base}/compressed:={base}")
    quoted = json.dumps(str(model), ensure_ascii=False)  # a parameter's value is read as YAML
    parameters = [
        f"model:={quoted}",
        f"provider:={provider}",
        f"compressed:={str(drive.compressed).lower()}",
        "overlay:=false",
        "diagnostics_period:=0.5",
    ]
    return [
        *("-m", "kd_seg_ros.segmentation_node", "--ros-args"),
        *(word for remap in remaps for word in ("-r", remap)),
        *(word for parameter in parameters for word in ("-p", parameter)),
    ]


def _player_command(drive: Drive, rate: float) -> list[str]:
    options = ["--topics", drive.topic, "--rate", f"{rate:g}", "--wait", "30"]
    return ["-m", "kd_seg_ros.play_bag", str(drive.bag), *options]


def _wait_until_ready(node: Process, recorder: Recorder) -> None:
    """Wait for the node's first report: then it has loaded its model and knows this process."""
    ready = None
    while not recorder.reports:
        recorder.spin(0.1)
        node.must_run()
        if ready is None and "ready:" in node.output:
            ready = time.monotonic()
        if ready and time.monotonic() > ready + _PATIENCE_S:
            raise ReplayError(
                "the node is ready but is not heard: see whether ROS_DOMAIN_ID, RMW_IMPLEMENTATION and the "
                "Fast DDS profile let two processes of this machine talk to each other"
            )


def _wait_until_settled(node: Process, recorder: Recorder) -> None:
    """Wait until every frame that reached the node has met its fate and nothing more comes."""
    state, since, reports = (0, 0, 0, 0), time.monotonic(), len(recorder.reports)
    while True:
        recorder.spin(0.1)
        node.must_run()
        received, done = _frames(recorder.reports[-1])
        now = (received, done, recorder.counts[MASK], recorder.counts[CONFIDENCE])
        if now != state:
            state, since, reports = now, time.monotonic(), len(recorder.reports)
        if received == done and len(recorder.reports) >= reports + 3:
            return
        if time.monotonic() > since + _PATIENCE_S:
            raise ReplayError(f"the node is stuck: {received} frames received, {done} dealt with")


def _frames(report: dict[str, str]) -> tuple[int, int]:
    """Return how many frames the node has received and how many of them it is done with."""
    return int(report["frames_received"]), sum(int(report[outcome]) for outcome in _OUTCOMES)
