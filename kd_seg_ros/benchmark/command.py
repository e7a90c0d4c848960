"""The vehicle half's benchmarks as a command: its options, its suites, and how a result is put out.

``kd_seg benchmark`` of the offline half has the same options and suites, and further ones.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from kd_seg_ros.benchmark.marks import marked, write_between_marks
from kd_seg_ros.benchmark.result import Result
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.command_line import add_json_option, fail, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import image_size
from kd_seg_ros.common.ros_environment import isolate_this_process
from kd_seg_ros.common.share import share_path
from kd_seg_ros.inference.providers import PROVIDERS

SUITES: Final[dict[str, str]] = {
    "node": "what the node adds to its network",
    "overload": "ages of the results when the camera is too fast",
    "soak": "memory over many frames",
    "gpu": "the engine on an NVIDIA GPU",
}
"""Name → what is measured."""
DEMO: Final = "resource/demo_student.onnx"
TINY: Final = "tiny"
SECONDS: Final = 20.0
SOAK_HZ: Final = 100.0
SOAK_FRAMES: Final = 20_000
TINY_SIZES: Final = {"node": (1080, 1920), "overload": (1080, 1920), "soak": (48, 64)}


def add_arguments(parser: argparse.ArgumentParser, suites: Mapping[str, str] = SUITES) -> None:
    """Declare the command's options.

    :param suites: name → what is measured, of all suites that can be chosen.
    """
    parser.add_argument(
        "--suite",
        choices=suites,
        required=True,
        help="; ".join(f"{name}: {text}" for name, text in suites.items()),
    )
    parser.add_argument(
        "--model",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=f"of {', '.join(SUITES)}: model file, several for gpu (default: the demo student; "
        f"soak: '{TINY}', no network at all)",
    )
    parser.add_argument(
        "--provider",
        choices=tuple(PROVIDERS),
        default="cpu",
        help="of the same suites: what the network runs on",
    )
    parser.add_argument(
        "--size",
        type=image_size,
        metavar="HEIGHTxWIDTH",
        help="of node, overload and soak: size of the camera's images (default: the file's)",
    )
    parser.add_argument("--rate", type=float, metavar="HZ", help="of node and soak: the camera's frequency")
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"duration of each part or comparison, at least (default: {SECONDS:g}, without ROS 10)",
    )
    parser.add_argument("--frames", type=int, help=f"of soak: number of images (default: {SOAK_FRAMES})")
    parser.add_argument(
        "--plot", type=Path, metavar="PNG", help="of soak: draw memory over frames to this file"
    )
    parser.add_argument(
        "--work", type=float, nargs=2, metavar=("GFLOP", "MB"), help="of gpu: work of a frame, for the floor"
    )
    parser.add_argument(
        "--peak", type=float, nargs=2, metavar=("TFLOPS", "GB/S"), help="of gpu: the GPU's, for the floor"
    )
    add_json_option(parser)
    parser.add_argument(
        "--write", type=Path, help="put the table into this Markdown file, between its `<!-- SUITE -->` marks"
    )


def run(args: argparse.Namespace) -> int:
    """Run one suite; return 1 for a soak that was not flat or a process that failed, otherwise 0."""
    check_destination(args)
    try:
        result = run_suite(args)
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
        # Figures that were not measured are NaN, which JSON does not have.
        print_json(json.loads(json.dumps(result.figures), parse_constant=lambda _: None))
    else:
        print(result.text)
    if args.write:
        write_between_marks(args.write, args.suite, result.text)
    return 0 if result.passed else 1


def run_suite(args: argparse.Namespace) -> Result:
    """Run one suite of :data:`SUITES`, in a ROS domain that no other program uses.

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
            return gpu_suite.run(models, floor, args.seconds, _say)
        return _run_with_ros(args, models[0])


def _run_with_ros(args: argparse.Namespace, model: Path) -> Result:
    try:
        import rclpy  # noqa: F401 (whether it is there)
    except ImportError as error:
        raise UserError(
            f"--suite {args.suite} needs ROS 2 ({error}): source an install, or pip install 'kd_seg_ros[ros]'"
        ) from error
    from kd_seg_ros.benchmark import node_suite, overload_suite, soak_suite

    if args.suite == "node":
        return node_suite.run(model, args.provider, args.size, args.rate, args.seconds, _say)
    if args.suite == "overload":
        return overload_suite.run(model, args.provider, args.size, args.seconds, _say)
    size = args.size or TINY_SIZES["soak"]
    frames, rate = args.frames or SOAK_FRAMES, args.rate or SOAK_HZ
    return soak_suite.run(model, args.provider, size, frames, rate, args.plot, _say)


def _models(args: argparse.Namespace, folder: Path) -> list[Path]:
    """The files to measure, the tiny one made in ``folder``."""
    if not args.model:
        tiny = args.suite == "soak"
        return [_tiny(args, folder)] if tiny else [share_path(DEMO)]
    return [_tiny(args, folder) if str(model) == TINY else model for model in args.model]


def _tiny(args: argparse.Namespace, folder: Path) -> Path:
    from kd_seg_ros.benchmark.tiny_model import write_tiny_model

    return write_tiny_model(folder / "tiny.onnx", args.size or TINY_SIZES.get(args.suite, (1080, 1920)))


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that do not belong to the suite, and values out of range; raises UserError."""
    for option in ("seconds", "frames", "rate"):
        value = getattr(args, option)
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"--{option} must be above 0, not {value:g}")
    belongs = {
        "plot": ("soak",),
        "rate": ("node", "soak"),
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
    for values, name in ((args.work, "--work"), (args.peak, "--peak")):
        if values and min(values) <= 0:
            raise UserError(f"{name} takes numbers above 0")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
