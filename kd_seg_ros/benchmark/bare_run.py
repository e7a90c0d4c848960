"""The bare run: a model file in ONNX Runtime with bound buffers and nothing else, the floor of any node.

As a program, ``python -m kd_seg_ros.benchmark.bare_run MODEL TOPIC``, it subscribes to a camera and does one
bare run per image, on other pixels: the state of the machine is the node's, the work that of the network
alone. Interrupted, it prints the times as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.headers import read_header
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.common.stop_request import StopRequest
from kd_seg_ros.inference.contract import CONFIDENCE, IMAGE, MASK
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.providers import PROCESSOR_PROVIDERS, PROVIDERS
from kd_seg_ros.inference.session import open_session
from kd_seg_ros.inference.settings import SessionSettings


def random_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Make an RGB image, uint8 [H, W, 3]."""
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


class BareRun:
    """A session with bound, preallocated buffers on the host; on a GPU each run includes both copies."""

    def __init__(self, path: Path, provider: str, size: tuple[int, int]) -> None:
        """Open the file, which :class:`~kd_seg_ros.inference.engine.Engine` has accepted.

        :param size: (height, width), of its input.
        """
        self._session = open_session(
            read_onnx_file(path), SessionSettings(provider), lambda _: True
        )  # the engine's options
        self._binding = self._session.io_binding()
        self._image = random_image(size)
        self.arrays = {name: np.empty(size, np.uint8) for name in (MASK, CONFIDENCE)}
        for name, array in self.arrays.items():
            self._binding.bind_output(name, "cpu", 0, np.uint8, array.shape, array.ctypes.data)
        self._on_cpu = self._session.get_providers()[0] in PROCESSOR_PROVIDERS
        self._input = ort.OrtValue.ortvalue_from_numpy(self._image, "cpu" if self._on_cpu else "cuda", 0)
        self._binding.bind_ortvalue_input(IMAGE, self._input)

    def run(self) -> None:
        """Run once; the result is in :attr:`arrays`."""
        if not self._on_cpu:
            self._input.update_inplace(self._image)
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()


def main(argv: list[str] | None = None) -> int:
    """Do one bare run per image of the camera until interrupted; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("topic")
    parser.add_argument("--provider", choices=tuple(PROVIDERS), default="cpu")
    parser.add_argument("--size", type=int, nargs=2, required=True, metavar=("HEIGHT", "WIDTH"))
    args = parser.parse_args(argv)
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import QoSProfile
    from rclpy.signals import SignalHandlerOptions
    from sensor_msgs.msg import Image

    bare = BareRun(args.model, args.provider, tuple(args.size))
    bare.run()
    times: dict[str, list[float]] = {"run_ms": [], "age_ms": []}

    def on_image(serialized: Any) -> None:
        start = time.perf_counter()
        bare.run()
        times["run_ms"].append(1e3 * (time.perf_counter() - start))
        times["age_ms"].append(1e-6 * (time.time_ns() - read_header(serialized).stamp))

    stop = StopRequest()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("bare", start_parameter_services=False)
    node.create_subscription(Image, args.topic, on_image, QoSProfile(depth=1), raw=True)
    print("ready: bare run", flush=True)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not stop.requested:
        executor.spin_once(timeout_sec=0.1)
    print(json.dumps(times), flush=True)
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
