"""Suite ``postprocess``: upsampling, argmax and softmax in the model file against the same on the host.

Both start from the logits of a network and end with mask, confidence and probability at 1080×1920: from
[1, 19, 216, 384], as the networks of this project give them, and from [1, 19, 1080, 1920], as a wrapped
network may that upsamples its logits itself. The host's way is what a node without such a file does: OpenCV's
bilinear resize of each class, then maximum, exponential, sum and argmax by NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.benchmark.host_route import Maps, image_maps
from kd_seg_ros.benchmark.machine import machine
from kd_seg_ros.benchmark.result import Result, table
from kd_seg_ros.benchmark.statistics import interleaved, spread
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import OPSET, OUTPUTS
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.session import open_session
from kd_seg_ros.inference.settings import SessionSettings

CLASSES: Final = 19
IMAGE: Final = (1080, 1920)
LOGITS: Final = ((216, 384), IMAGE)
"""Sizes of the logits: stride 4 of 864×1536, at which the thesis' networks see 1080×1920, and the image's."""
HOST, GRAPH = "logits out, OpenCV and NumPy", "in the graph"


def run(
    seconds: float,
    provider: str = "cpu",
    classes: int = CLASSES,
    logits_sizes: Sequence[tuple[int, int]] = LOGITS,
    size: tuple[int, int] = IMAGE,
) -> Result:
    """Measure both, in turn, from logits of each size.

    :param seconds: in all.
    :param provider: runs the graph, ``cuda``, ``tensorrt`` or ``cpu``; logits and results are in the
        computer's memory either way.
    :param logits_sizes: (h, w) of the logits.
    :param size: (H, W) of the results.
    :raises UserError: if the packages that write the graph are not installed, or the provider does not start.
    """
    figures = [
        compare(seconds / len(logits_sizes), provider, classes, logits_size, size)
        for logits_size in logits_sizes
    ]
    rows = []
    for case in figures:
        logits = "×".join(map(str, (classes, *case["logits"])))
        for name, key, speed in ((HOST, "host", 1.0), (GRAPH, "graph", case["ratio"])):
            p50, p99 = case[f"{key}_ms"], case[f"{key}_p99_ms"]
            rows.append([f"{logits}: {name}", f"{p50:.0f}", f"{p99:.0f}", f"{speed:.1f}×"])
    same = min(case["same_mask"] for case in figures)
    difference = max(case["probability_difference"] for case in figures)
    ratios = " and ".join(f"{case['ratio']:.1f}×" for case in figures)
    rounds = " and ".join(str(case["rounds"]) for case in figures)
    text = (
        f"{table(['post-processing', 'p50, ms', 'p99, ms', 'speed'], rows)}\n\n"
        f"Random logits to {size[0]}×{size[1]}: {ratios} as fast in the graph ({provider}). Masks agree in "
        f"{same:.4%} of the pixels, probabilities to {difference:.1e}.\n\n"
        f"Measured on: {machine()}; in turn, {rounds} rounds."
    )
    return Result(text, figures)


def compare(
    seconds: float, provider: str, classes: int, logits_size: tuple[int, int], size: tuple[int, int]
) -> dict[str, Any]:
    """Measure both from logits of one size; return the figures. The arguments are those of :func:`run`."""
    logits = np.random.default_rng(0).normal(0, 3, (1, classes, *logits_size)).astype(np.float32)
    graph = in_graph(classes, logits_size, size, provider)
    of_host, of_graph = image_maps(logits, size), graph(logits)
    ways = [partial(image_maps, logits, size), partial(graph, logits)]
    host, in_file = [spread(times, 1e3) for times in interleaved(ways, seconds)]
    return {
        "logits": logits_size,
        "host_ms": host.p50,
        "host_p99_ms": host.p99,
        "graph_ms": in_file.p50,
        "graph_p99_ms": in_file.p99,
        "ratio": host.p50 / in_file.p50,
        "rounds": host.count,
        "same_mask": float((of_host[0] == of_graph[0]).mean()),
        "probability_difference": float(np.abs(of_host[2] - of_graph[2]).max()),
    }


def in_graph(
    classes: int, logits_size: tuple[int, int], size: tuple[int, int], provider: str
) -> Callable[[NDArray[np.float32]], Maps]:
    """Return a function that makes mask, confidence and probability of logits by the nodes of a model file.

    :raises UserError: if the packages that write them are not installed, or the provider does not start.
    """
    try:
        from onnx import TensorProto, helper

        from distill.export.graph import GraphBuilder
        from distill.export.interpolation import Upsampling, bilinear
        from distill.export.postprocess import add_postprocessing
        from distill.export.surround import output_infos
    except ImportError as error:
        raise UserError(
            f"--suite postprocess writes a graph with the package {error.name}, which is not installed: "
            "pip install onnx, and kd_seg_ros with its offline half"
        ) from error
    graph = GraphBuilder("after/")
    add_postprocessing(
        graph,
        "logits",
        classes,
        Upsampling(bilinear(logits_size[0], size[0]), bilinear(logits_size[1], size[1])),
    )
    info = helper.make_tensor_value_info
    inputs = [info("logits", TensorProto.FLOAT, [1, classes, *logits_size])]
    proto = helper.make_model(
        helper.make_graph(graph.nodes, "postprocess", inputs, output_infos(size), graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "postprocess.onnx"
        path.write_bytes(proto.SerializeToString())
        session = open_session(read_onnx_file(path), SessionSettings(provider), lambda _: False)
    return partial(_run, session)


def _run(session: ort.InferenceSession, logits: NDArray[np.float32]) -> Maps:
    mask, confidence, probability = session.run(list(OUTPUTS), {"logits": logits})
    return mask, confidence, probability
