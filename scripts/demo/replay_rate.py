"""How fast a drive may be replayed so that the network keeps up with it."""

from __future__ import annotations

import statistics
import time
from itertools import islice
from typing import Final

from distill.drives.drive import Drive
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DecodeError
from kd_seg_ros.inference.engine import Engine

LOAD: Final = 0.7
"""Share of the time between two frames that the network may take; the rest is for the other processes."""


def sustainable_rate(milliseconds: float, hertz: float | None) -> float:
    """Return the speed, at most 1 = as recorded, at which the network takes :data:`LOAD` of the time.

    :param milliseconds: what the network takes for a frame.
    :param hertz: frames per second as recorded; None where that is not known.
    """
    return min(1.0, LOAD * 1e3 / (milliseconds * (hertz or 1.0)))


def milliseconds_per_frame(drive: Drive, engine: Engine) -> float:
    """Measure the network on the first frames of a drive; return the median.

    :raises UserError: if they cannot be decoded.
    """
    times = []
    try:
        for _, image in drive.images(set(islice(drive.frames, 5))):
            start = time.perf_counter()
            engine.segment(image)
            times.append(1e3 * (time.perf_counter() - start))
    except DecodeError as error:
        raise UserError(f"{drive.bag}: {drive.topic}: {error}") from error
    return statistics.median(times[1:] or times)  # the first run also allocates
