"""Check and measure all that needs an NVIDIA GPU, in one run: python scripts/gpu_checks.py --out FILE.

In this order: that the engine with its kernels answers as the CPU does, with every calibration; the table of
the engine's options; further networks; a training step; suite ``models``; several cameras' images in one run
of the network, alone and through the engine; why the first training step of depthwise convolutions is slow.
Each part runs in a process of its own, with a time limit, so that none takes another down; the report says
which ran, and is written after each.
Exit status 1 if a part failed, 2 without a GPU.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kd_seg_ros.benchmark.machine import machine, nvidia_gpu  # noqa: E402
from kd_seg_ros.common.logs import terminal_logging  # noqa: E402

MAIN: Final = ("swiftnet_resnet18", "pidnet_s")
"""Networks of the engine's table."""
FURTHER: Final = ("swiftnet_mobilenetv4_conv_medium", "sfnet_resnet18", "segformer_b0", "hrnetv2_w48")
BATCHED: Final = ("pidnet_s", "fpn_lite_nano")
"""Networks that are run on several images at once."""
_BATCH: Final = "_batch"
"""Ends the names of their files."""
TFLOPS, GIGABYTES_PER_S = 757.0, 4302.0
"""An H200's, measured: FP16 matrix products, and copies on the device; for the floor."""
PACKAGES: Final = ("torch", "onnx", "onnxruntime-gpu", "onnxruntime", "cuda-bindings", "nvidia-cudnn-cu13")
_MARK: Final = "gpu_checks result: "
"""Begins the line in which a part's process returns its result."""


@dataclass(frozen=True)
class Part:
    """One section of the report."""

    name: str
    title: str
    limit: float
    """Seconds at most."""


PARTS: Final = (
    Part("export", "Model files", 120),
    Part("correctness", "Correctness: the GPU against the CPU", 110),
    Part("engine", "The engine's options", 200),
    Part("networks", "Further networks", 90),
    Part("training", "A training step", 120),
    Part("models", "Suite models", 90),
    Part("batches", "Several cameras: images in one run of the network", 60),
    Part("batched-engine", "Several cameras: batches through the engine", 90),
    Part("first-step", "The first step of a network with depthwise convolutions", 200),
)


def main(argv: list[str] | None = None) -> int:
    """Run the parts, or one of them in this process; return the exit status."""
    args = parse(argv)
    if args.part:
        with terminal_logging():
            return run_part(args.part, args.files, args.seconds, args.provider)
    if not nvidia_gpu():
        print("error: gpu_checks needs an NVIDIA GPU, and nvidia-smi finds none", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        files = args.files or Path(folder)
        files.mkdir(parents=True, exist_ok=True)
        return run_all(args, [part for part in PARTS if part.name in args.parts], files)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu_checks.md"), help="Markdown file to write")
    parser.add_argument(
        "--files", type=Path, help="folder of model files, NAME.onnx; missing ones are made there"
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="measure each row for so long (default: 2)"
    )
    parser.add_argument("--limit", type=float, default=470.0, help="seconds for everything (default: 470)")
    parser.add_argument("--parts", nargs="+", choices=names, default=names, help="run these only")
    parser.add_argument("--part", choices=names, help=argparse.SUPPRESS)
    parser.add_argument("--provider", default="cuda", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def run_all(args: argparse.Namespace, parts: Sequence[Part], files: Path) -> int:
    """Run parts in processes of their own and write the report after each; return the exit status."""
    start = time.monotonic()
    sections = [f"# GPU checks\n\n{machine(*versions())}."]
    failed = []
    for part in parts:
        rest = args.limit - (time.monotonic() - start)
        say(f"{part.title} (at most {min(part.limit, rest):.0f} s)")
        text, passed = in_own_process(part, min(part.limit, rest), files, args)
        if not passed:
            failed.append(part.title)
        say(f"{part.title}: {'done' if passed else 'FAILED'} after {time.monotonic() - start:.0f} s in all")
        sections.append(f"## {part.title}\n\n{text}")
        args.out.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    verdict = f"Failed: {', '.join(failed)}." if failed else "All parts passed."
    sections.insert(1, verdict)
    args.out.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    print(args.out.read_text(encoding="utf-8"))
    return 1 if failed else 0


def in_own_process(part: Part, limit: float, files: Path, args: argparse.Namespace) -> tuple[str, bool]:
    """Run a part; return its text, and whether it passed."""
    if limit <= 5:
        return "Not run: no time was left.", False
    command = [sys.executable, __file__, "--part", part.name, "--files", str(files)]
    command += ["--seconds", str(args.seconds), "--provider", args.provider]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit, cwd=ROOT)
        output, reason = done.stdout, f"ended with status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
        output = printed.decode(errors="replace") if isinstance(printed, bytes) else printed
        reason = f"not finished after {limit:.0f} s"
    # A part prints a result as soon as it has one; what came before it broke off counts.
    results = [json.loads(line[len(_MARK) :]) for line in output.splitlines() if line.startswith(_MARK)]
    texts = [result["text"] for result in results]
    complete = bool(results) and results[-1]["last"]
    if not complete:
        texts.append(f"FAILED: {reason}.")
    return "\n\n".join(texts), complete and all(result["passed"] for result in results)


def run_part(name: str, files: Path, seconds: float, provider: str) -> int:
    """Run one part in this process and print its result."""
    work: Mapping[str, Callable[[], tuple[str, bool]]] = {
        "export": partial(export_files, files),
        "correctness": partial(correctness, files, provider),
        "engine": partial(engine_table, files, MAIN, seconds, True),
        "networks": partial(engine_table, files, FURTHER, seconds, False),
        "training": partial(suite, "training", seconds),
        "models": partial(suite, "models", seconds),
        "batches": partial(suite, "batches", seconds),
        "batched-engine": partial(batched_engine, files, provider, seconds),
        "first-step": first_step,
    }
    text, passed = work[name]()
    give(text, passed, last=True)
    return 0


def give(text: str, passed: bool = True, last: bool = False) -> None:
    """Print a result for the process that waits for it."""
    print(_MARK + json.dumps({"text": text, "passed": passed, "last": last}), flush=True)


def export_files(files: Path) -> tuple[str, bool]:
    """Make the model files that are missing, at the same time, each in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from distill.benchmarks.models import MEAN, STD, export\n"
        "from distill.benchmarks.random_network import random_network\n"
        "from distill.models.deployed import DeployedModel\n"
        "model = DeployedModel(random_network(sys.argv[1]), MEAN, STD, working_scale=1.0).eval()\n"
        "export(model, (1080, 1920), Path(sys.argv[2]), half=True, batch=bool(sys.argv[3:]))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "2"}
    wanted = [*MAIN, *FURTHER, *(name + _BATCH for name in BATCHED)]
    missing = [name for name in wanted if not (files / f"{name}.onnx").exists()]

    def export(name: str) -> str:
        words = [name.removesuffix(_BATCH), str(files / f"{name}.onnx")]
        words += ["batch"] if name.endswith(_BATCH) else []
        done = subprocess.run(
            [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True
        )
        say(f"{name}: {'written' if done.returncode == 0 else 'FAILED'}")
        return "" if done.returncode == 0 else f"{name}: {done.stderr.strip().splitlines()[-1]}"

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        failures = [failure for failure in pool.map(export, missing) if failure]
    return "\n\n".join([f"{len(missing)} of {len(wanted)} made.", *failures]), not failures


def correctness(files: Path, provider: str) -> tuple[str, bool]:
    """Compare the engine with the CPU."""
    from distill.benchmarks import gpu_correctness

    paths = [files / f"{name}.onnx" for name in MAIN]
    models = [path for path in paths if path.exists()]
    with tempfile.TemporaryDirectory() as folder:
        result = gpu_correctness.run(Path(folder), provider, models, kernels=provider == "cuda")
    return result.text, result.passed


def engine_table(files: Path, names: Sequence[str], seconds: float, in_full: bool) -> tuple[str, bool]:
    """Measure networks.

    :param in_full: the first one in every way it can be run, and each in PyTorch too, which takes a minute.
    """
    from distill.benchmarks.torch_network import catalogue_network
    from distill.models.catalogue import MODELS
    from kd_seg_ros.benchmark import gpu_suite

    passed = True
    for number, name in enumerate(names):
        path = files / f"{name}.onnx"
        if not path.exists():
            give(f"{name}: there is no file.", passed=False)
            continue
        variants = gpu_suite.VARIANTS if in_full and number == 0 else gpu_suite.MAIN_VARIANTS
        other = partial(catalogue_network, name) if in_full else None
        floor = gpu_suite.Floor(MODELS[name].gflops, path.stat().st_size / 1e6, TFLOPS, GIGABYTES_PER_S)
        result = gpu_suite.run([path], floor, seconds, say, other, tuple(variants))
        passed &= any("p50" in row for row in result.figures)
        give(result.text)
    return "", passed


def batched_engine(files: Path, provider: str, seconds: float) -> tuple[str, bool]:
    """Compare batches through the engine with single images, and measure both."""
    from distill.benchmarks import batched_engine as measured

    paths = [files / f"{name}{_BATCH}.onnx" for name in BATCHED]
    there = [path for path in paths if path.exists()]
    result = measured.run(there, provider, seconds)
    return result.text, result.passed and there == paths


def suite(name: str, seconds: float) -> tuple[str, bool]:
    """Run a suite of ``python -m distill benchmark``."""
    command = [sys.executable, "-m", "distill", "benchmark", "--suite", name, "--seconds", str(seconds)]
    chosen = [["--networks", network] for network in MAIN] if name == "models" else [[]]
    passed = True
    for more in chosen:
        done = subprocess.run([*command, *more], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        passed &= done.returncode == 0
        give(done.stdout or f"ended with status {done.returncode}", done.returncode == 0)
    return "", passed


def first_step() -> tuple[str, bool]:
    """Time the first training step in several ways, to find its cause; give a sentence about each at once."""
    from distill.benchmarks import first_step as ways

    for sentence in ways.sentences():
        say(sentence)
        give(sentence)
    return "", True


def versions() -> list[str]:
    """Name the versions of the packages that matter here, as far as they are installed."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
