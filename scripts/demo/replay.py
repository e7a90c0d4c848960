"""Replays a drive through the node over DDS, each in its own process, and records what the node says."""

from __future__ import annotations

import shlex
import statistics
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from drive import Drive

from distill.drives.node_process import OUTCOMES, PATIENCE_S, latency, node_command, wait_until_ready
from distill.drives.output_topics import OutputTopics
from distill.drives.processes import Process
from distill.drives.real_time import player_command, replay_in_real_time
from distill.drives.recorder import Recorder
from kd_seg_ros.common.decode import DecodeError
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.engine import Engine

LOAD: Final = 0.7
"""Share of the time between two frames that the network may take; the rest is for the other processes."""


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
        frames = {name: int(self.report[name]) for name in ("frames_received", *OUTCOMES)}
        provider = self.report["provider"]
        return {"rate": self.rate, "provider": provider, **frames, "latency": latency(self.report)}


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
    node_arguments = node_command(model, provider, drive.compressed, _remapping(drive))
    player_arguments = player_command(drive.bag, drive.topic, rate)
    with (
        Recorder(out / "recording", OutputTopics.of("")) as recorder,
        Process("node", [sys.executable, *node_arguments], out / "node.log") as node,
    ):
        wait_until_ready(recorder, node.must_run, lambda: "ready:" in node.output, PATIENCE_S)
        with Process("player", [sys.executable, *player_arguments], out / "player.log") as player:
            replay_in_real_time(recorder, player, node.must_run, len(drive.frames))
        node.interrupt()
        node.must_succeed()
        report = recorder.reports[-1]
    return Replay(rate, report, [shlex.join(["python", *c]) for c in (node_arguments, player_arguments)])


def _remapping(drive: Drive) -> list[str]:
    """Return what leads the drive's topic to the node."""
    base = drive.topic.removesuffix("/compressed") if drive.compressed else drive.topic
    own = drive.compressed and drive.topic == base  # compressed images under a name of their own
    return [f"image:={base}", *([f"{base}/compressed:={base}"] if own else [])]
