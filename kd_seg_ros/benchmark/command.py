"""The vehicle half's benchmarks as a command: its options, its suites, and how a result is put out.

``kd_seg benchmark`` of the offline half has the same options and suites, and further ones.
"""

from __future__ import annotations

import argparse
import logging
import signal
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from kd_seg_ros.benchmark.marks import marked, write_between_marks
from kd_seg_ros.benchmark.result import Result
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.command_line import add_json_option, fail, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import count, image_size, positive
from kd_seg_ros.common.ros_environment import isolate_this_process
from kd_seg_ros.common.share import default_model
from kd_seg_ros.inference.providers import PROVIDERS

if TYPE_CHECKING:
    from kd_seg_ros.benchmark.gpu_suite import OtherRuntime

LOGGER = logging.getLogger(__name__)
SUITES: Final[dict[str, str]] = {
    "node": "what the node adds to its network",
    "overload": "ages of the results when the camera is too fast",
    "soak": "memory over many frames",
    "gpu": "the engine on an NVIDIA GPU",
}
"""Name → what is measured."""
TINY: Final = "tiny"
SECONDS: Final = 20.0
SOAK_HZ: Final = 100.0
SOAK_FRAMES: Final = 20_000
TINY_SIZES: Final = {"node": (1080, 1920), "overload": (1080, 1920), "soak": (48, 64)}


def add_arguments(parser: argparse.ArgumentParser, suites: Mapping[str, str] = SUITES) -> None:
    """Declare the command's options.

    :param suites: name → what is measured, of all suites that can be chosen.
    """
    add = parser.add_argument
    listed = "; ".join(f"{name}: {text}" for name, text in suites.items())
    add("--suite", choices=tuple(suites), required=True, help=f"what to measure. {listed}")
    add(
        "--seconds",
        type=positive,
        metavar="S",
        help=f"measure each part for S seconds (default: {SECONDS:g}; 10 for suites without ROS)",
    )
    add("--write", type=Path, metavar="FILE", help="Markdown file to put the table into, between its marks")
    add_json_option(parser)
    vehicle = parser.add_argument_group(f"options of the suites {', '.join(SUITES)}")
    vehicle.add_argument(
        "--model",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="ONNX file, as `kd_seg export` writes it; several for gpu (default: the demo student, for soak "
        f"'{TINY}', which is made on the spot)",
    )
    vehicle.add_argument(
        "--provider", choices=tuple(PROVIDERS), default="cpu", help="what the network runs on"
    )
    vehicle.add_argument(
        "--size",
        type=image_size,
        metavar="HxW",
        help="height and width of the camera image, pixels (default: the file's)",
    )
    vehicle.add_argument(
        "--hertz",
        type=positive,
        metavar="HZ",
        help=f"images per second of the camera, for node and soak (default for soak: {SOAK_HZ:g})",
    )
    vehicle.add_argument(
        "--frames", type=count, metavar="N", help=f"number of frames of soak (default: {SOAK_FRAMES})"
    )
    vehicle.add_argument(
        "--plot", type=Path, metavar="FILE", help=".png file to draw the memory over the frames of soak into"
    )
    vehicle.add_argument(
        "--work",
        type=positive,
        nargs=2,
        metavar=("GFLOP", "MB"),
        help="work and memory traffic per frame, for the lower bound that gpu reports",
    )
    vehicle.add_argument(
        "--peak",
        type=positive,
        nargs=2,
        metavar=("TFLOPS", "GB/S"),
        help="peak speed and memory bandwidth of the GPU, for the same bound",
    )


def run(args: argparse.Namespace, other_runtime: OtherRuntime | None = None) -> int:
    """Run one suite; return 1 for a soak that was not flat or a process that failed, otherwise 0.

    :param other_runtime: what suite gpu compares the engine's network with.
    """
    check_destination(args)
    try:
        result = run_suite(args, other_runtime)
    except ProcessError as error:
        return fail(str(error), status=1)
    return put_out(result, args)


def check_destination(args: argparse.Namespace) -> None:
    """Refuse a document without the suite's marks, before minutes of measuring; raises UserError."""
    if args.write:
        marked(args.write, args.suite, "")


def put_out(result: Result, args: argparse.Namespace) -> int:
    """Print a result, as a table or with ``--json`` its figures, and write it; return the exit status."""
    if args.json:
        print_json(result.figures)
    else:
        print(result.text)
    if args.write:
        write_between_marks(args.write, args.suite, result.text)
    return 0 if result.passed else 1


def run_suite(args: argparse.Namespace, other_runtime: OtherRuntime | None = None) -> Result:
    """Run one suite of :data:`SUITES`, in a ROS domain that no other program uses.

    :param other_runtime: what suite gpu compares the engine's network with.
    :raises UserError: for options that do not fit, or what the suite lacks on this machine.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end like Ctrl-C, children too
    isolate_this_process()
    check_options(args)
    with TemporaryDirectory() as folder:
        models = _models(args, Path(folder))
        args.seconds = args.seconds or SECONDS
        if args.suite == "gpu":
            from kd_seg_ros.benchmark import gpu_suite

            floor = gpu_suite.Floor(*args.work, *args.peak) if args.work else gpu_suite.Floor()
            return gpu_suite.run(models, floor, args.seconds, LOGGER.info, other_runtime)
        return _run_with_ros(args, models[0])


def _run_with_ros(args: argparse.Namespace, model: Path) -> Result:
    import rclpy  # noqa: F401 (whether it is there)

    from kd_seg_ros.benchmark import node_suite, overload_suite, soak_suite

    if args.suite == "node":
        return node_suite.run(model, args.provider, args.size, args.hertz, args.seconds, LOGGER.info)
    if args.suite == "overload":
        return overload_suite.run(model, args.provider, args.size, args.seconds, LOGGER.info)
    size = args.size or TINY_SIZES["soak"]
    frames, rate = args.frames or SOAK_FRAMES, args.hertz or SOAK_HZ
    return soak_suite.run(model, args.provider, size, frames, rate, args.plot, LOGGER.info)


def _models(args: argparse.Namespace, folder: Path) -> list[Path]:
    """Return the files to measure; the tiny one is made in ``folder``."""
    if not args.model:
        tiny = args.suite == "soak"
        return [_tiny(args, folder)] if tiny else [default_model()]
    return [_tiny(args, folder) if str(model) == TINY else model for model in args.model]


def _tiny(args: argparse.Namespace, folder: Path) -> Path:
    from kd_seg_ros.benchmark.tiny_model import write_tiny_model

    return write_tiny_model(folder / "tiny.onnx", args.size or TINY_SIZES.get(args.suite, (1080, 1920)))


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that do not belong to the suite; raises UserError."""
    belongs = {
        "plot": ("soak",),
        "hertz": ("node", "soak"),
        "frames": ("soak",),
        "size": ("node", "overload", "soak"),
        "work": ("gpu",),
        "peak": ("gpu",),
        "model": tuple(SUITES),
    }
    for option, suites in belongs.items():
        if getattr(args, option) and args.suite not in suites:
            raise UserError(f"--{option} belongs to --suite {' or '.join(suites)}, not {args.suite}")
    if args.suite != "gpu" and args.model and len(args.model) > 1:
        raise UserError(f"--model: --suite {args.suite} takes one file, not {len(args.model)}")
    if bool(args.work) != bool(args.peak):
        raise UserError("--work and --peak belong together")
    if args.plot and not args.plot.parent.is_dir():  # before minutes of measuring
        raise UserError(f"--plot {args.plot}: there is no such folder")
