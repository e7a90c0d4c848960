"""``python -m kd_seg_ros.benchmark --suite NAME``: measure on this machine, and print a Markdown table."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from kd_seg_ros.benchmark.marks import marked, write_between_marks
from kd_seg_ros.benchmark.result import Result
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.ros_environment import isolate_this_process
from kd_seg_ros.common.share import share_path
from kd_seg_ros.inference.providers import PROVIDERS

SUITES: Final = ("node", "overload", "soak", "gpu")
DEMO: Final = "resource/demo_student.onnx"
TINY: Final = "tiny"
SOAK_HZ: Final = 100.0
SOAK_FRAMES: Final = 20_000
TINY_SIZES: Final = {"node": (1080, 1920), "overload": (1080, 1920), "soak": (48, 64)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0; 1 for a soak that was not flat or a process that failed, 2 for a user's mistake, 130 when interrupted.
    """
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end like Ctrl-C, children too
    isolate_this_process()
    try:
        if args.write:
            marked(args.write, args.suite, "")  # before minutes of measuring
        result = run(args)
        print(result.text)
        if args.json:
            args.json.write_text(json.dumps(result.figures, indent=2) + "\n", encoding="utf-8")
        if args.write:
            write_between_marks(args.write, args.suite, result.text)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ProcessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename} cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0 if result.passed else 1


def run(args: argparse.Namespace) -> Result:
    """Run one suite.

    :raises UserError: for options that do not fit, or what the suite lacks on this machine.
    """
    _check(args)
    with TemporaryDirectory() as folder:
        models = _models(args, Path(folder))
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


def _check(args: argparse.Namespace) -> None:
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
        "model": ("node", "overload", "soak", "gpu"),
    }
    for option, suites in belongs.items():
        if getattr(args, option) and args.suite not in suites:
            raise UserError(f"--{option} belongs to --suite {' or '.join(suites)}, not {args.suite}")
    if args.suite != "gpu" and args.model and len(args.model) > 1:
        raise UserError(f"--model: --suite {args.suite} takes one file, not {len(args.model)}")
    if bool(args.work) != bool(args.peak):
        raise UserError("--work and --peak belong together")
    for option in ("json", "plot"):
        path = getattr(args, option)
        if path and not path.parent.is_dir():  # before minutes of measuring
            raise UserError(f"--{option} {path}: there is no such folder")
    for values, name in ((args.work, "--work"), (args.peak, "--peak")):
        if values and min(values) <= 0:
            raise UserError(f"{name} takes numbers above 0")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kd_seg_ros.benchmark", description="Measure on this machine; print a Markdown table."
    )
    parser.add_argument(
        "--suite",
        choices=SUITES,
        required=True,
        help="node: what the node adds to its network; overload: ages "
        "with a camera too fast; soak: memory over many frames; gpu: the engine on an NVIDIA GPU",
    )
    parser.add_argument(
        "--model",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=f"model file, several for gpu (default: the demo student; soak: '{TINY}', no network at all)",
    )
    parser.add_argument("--provider", choices=tuple(PROVIDERS), default="cpu", help="default: %(default)s")
    parser.add_argument(
        "--size",
        type=_size,
        metavar="HxW",
        help="the camera's images, e.g. 1080x1920 (default: the file's size)",
    )
    parser.add_argument("--rate", type=float, metavar="HZ", help="the camera's, of node and soak")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each part (default: %(default)g)")
    parser.add_argument("--frames", type=int, help=f"of soak (default: {SOAK_FRAMES})")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="memory over the frames of soak")
    parser.add_argument(
        "--work", type=float, nargs=2, metavar=("GFLOP", "MB"), help="of a frame, for the floor of gpu"
    )
    parser.add_argument(
        "--peak", type=float, nargs=2, metavar=("TFLOPS", "GB/S"), help="of the GPU, for the floor of gpu"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument(
        "--write", type=Path, help="put the table into this Markdown file, between its `<!-- SUITE -->` marks"
    )
    return parser


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write HEIGHTxWIDTH, e.g. 1080x1920")
    return int(height), int(width)


if __name__ == "__main__":
    sys.exit(main())
