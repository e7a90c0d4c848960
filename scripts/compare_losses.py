"""Is a distilled student better than one trained on the labels alone? Several seeds of each, in one table.

python scripts/compare_losses.py camvid [--seeds 0 1 2] [--data.root DIR] [--write docs/experiments.md]

Trains the teacher, then for each seed the baseline and the distilled students (config/distill/camvid_*.yaml,
scenes_*.yaml) for the same number of epochs, and evaluates each. Finished runs are skipped, and
interrupted ones resume from their last checkpoint. Keys of the configuration can be given, as for `fit`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev

from distill.__main__ import main as distill
from distill.benchmarks.timing import machine
from distill.config import load_config
from distill.config.overrides import parse_overrides
from kd_seg_ros.benchmark.marks import write_between_marks

STUDENTS = {
    "border": "border-focal (baseline)",
    "cwd_border": "CWD + border-focal",
    "l2_border": "L2 + border-focal",
    "kl_border": "KL + border-focal",
}


def main() -> None:
    """Train and evaluate whatever is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", choices=("camvid", "scenes"), help="data to train on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--write", type=Path, help="put the table between the marks of this document")
    options, overrides = parser.parse_known_args()
    score_of(options.data, f"{options.data}_teacher", f"{options.data}_teacher", 0, overrides)
    scores: dict[str, list[tuple[float, float]]] = {kind: [] for kind in STUDENTS}
    for seed in options.seeds:
        for kind, found in scores.items():
            config = f"{options.data}_{kind}"
            found.append(score_of(options.data, config, f"{config}_seed{seed}", seed, overrides))
        text = table(scores)
        print(text, flush=True)
    text += f"\n\nSeeds {', '.join(map(str, options.seeds))}. Measured on: {machine()}."
    if options.write:
        write_between_marks(options.write, options.data, text)


def score_of(data: str, config: str, name: str, seed: int, overrides: list[str]) -> tuple[float, float]:
    """Return mIoU and ECE of a run, training and evaluating it first where that has not been done."""
    keys = [*overrides, "--name", name, "--seed", str(seed)]
    folder = load_config(config, parse_overrides(keys)).run_folder
    scores = folder / "best.metrics.json"
    if not scores.is_file():
        again = "--resume" if (folder / "last.ckpt").is_file() else "--overwrite"
        for command in (
            ["fit", "--config", config, again, *keys],
            ["evaluate", "--model", str(folder / "best.ckpt")],
        ):
            if distill(command):
                raise SystemExit(f"{data}: {' '.join(command)} failed")
    full = json.loads(scores.read_text(encoding="utf-8"))["scores"]["full"]
    return full["miou"], full["ece"]


def table(scores: dict[str, list[tuple[float, float]]]) -> str:
    """Lay out mean ± standard deviation over the seeds, and the differences to the baseline seed by seed."""
    baseline = [miou for miou, _ in scores["border"]]
    lines = [
        "| student | mIoU [%] | each seed | better than the baseline of its seed by | ECE [%] |",
        "|---|---:|---|---:|---:|",
    ]
    for kind, found in scores.items():
        mious = [100 * miou for miou, _ in found]
        gains = [miou - 100 * base for miou, base in zip(mious, baseline, strict=False)]
        cells = [
            STUDENTS[kind],
            spread(mious),
            ", ".join(f"{miou:.1f}" for miou in mious),
            "" if kind == "border" else spread(gains, "+"),
            spread([100 * ece for _, ece in found]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: list[float], sign: str = "") -> str:
    """Format mean ± sample standard deviation."""
    if not values:
        return "–"
    text = f"{mean(values):{sign}.1f}"
    return f"{text} ± {stdev(values):.1f}" if len(values) > 1 else text


if __name__ == "__main__":
    main()
