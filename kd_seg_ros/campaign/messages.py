"""Malformed camera messages: decoded, and where ROS is installed given to the node's worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.campaign.outcome import Outcome, Verdict, judged
from kd_seg_ros.campaign.pictures import wrong_picture
from kd_seg_ros.campaign.small_model_file import small_model_file
from kd_seg_ros.common.decode import decode_compressed, decode_image
from kd_seg_ros.common.picture import DecodeOptions
from kd_seg_ros.faults.images import (
    CASES,
    HEIGHT,
    WIDTH,
    CompressedImage,
    FaultyImage,
    RawImage,
    faulty_image,
)
from kd_seg_ros.faults.onnx_writer import known_answer
from kd_seg_ros.inference.engine import Engine

if TYPE_CHECKING:
    from kd_seg_ros.campaign.node_worker import NodeWorker

OPTIONS: Final = DecodeOptions(white_level=4095)
"""How the images are decoded, here and by the worker."""


def names() -> Sequence[str]:
    """Return the names of the cases."""
    return list(CASES)


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Decode the message; the node's worker must drop it, or publish the mask of the same picture."""
    fault = faulty_image(name, seed)
    _keep(fault.message, folder)
    verdict = judged(partial(_decoded, fault.message), fault.outcome, partial(wrong_picture, fault))
    if not verdict.outcome.good:
        return verdict
    worker = _worker(isinstance(fault.message, CompressedImage))
    if worker is None:
        return verdict
    event, mask = worker.segment(fault.message)
    problem = _other_end(verdict, fault, event, mask)
    return Verdict(Outcome.WRONG, problem) if problem else verdict


def _keep(message: RawImage | CompressedImage, folder: Path) -> None:
    values = {key: value for key, value in vars(message).items() if key != "data"}
    (folder / "message.json").write_text(json.dumps(values), encoding="utf-8")
    (folder / "data").write_bytes(message.data)


def _decoded(message: RawImage | CompressedImage) -> NDArray[np.uint8]:
    decode: Any = decode_compressed if isinstance(message, CompressedImage) else decode_image
    return np.asarray(decode(message, OPTIONS))


def _other_end(verdict: Verdict, fault: FaultyImage, event: str, mask: NDArray[np.uint8] | None) -> str:
    """Compare what the worker did with what decoding alone has shown."""
    wanted = "rejected" if verdict.outcome is Outcome.CLEAR_ERROR else "published"
    if event != wanted:
        return f"the node's worker counts it as {event!r}, not {wanted!r}"
    if mask is None:
        return ""
    picture = _decoded(fault.message)
    if picture.shape[:2] == (HEIGHT, WIDTH):
        expected = known_answer(picture)[0]
    else:
        expected = _engine().segment(picture).mask
    return "" if np.array_equal(mask, expected) else "the mask that was published is not that of the picture"


@cache
def _engine() -> Engine:
    with small_model_file(HEIGHT, WIDTH) as path:
        return Engine(path, "cpu", threads=1)


@cache
def _worker(compressed: bool) -> NodeWorker | None:
    """Return a worker for either kind of message; None without ROS."""
    try:
        from kd_seg_ros.campaign.node_worker import NodeWorker
    except ImportError:
        return None
    with small_model_file(HEIGHT, WIDTH) as path:
        return NodeWorker(path, compressed, OPTIONS)
