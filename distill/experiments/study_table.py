"""The table of a regime: each arm's scores over the seeds, and how sure its difference from the baselines is.

Two kinds of chance are told apart. That of training, by the seeds: students of one seed start from the same
weights, so that the differences are taken seed by seed, and Student's t gives the interval of their mean.
That of the validation images, by the paired bootstrap of :mod:`distill.evaluation.bootstrap`, which draws an
image for all seeds at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, stdev
from typing import Any, Final

from distill.checkpoints.training_cost import COST_KEY, read_cost
from distill.evaluation.bootstrap import bootstrap_of_pairs
from distill.evaluation.evaluated_run import EvaluatedRun, check_comparable, read_run
from distill.evaluation.metrics_json import FULL
from distill.experiments.study import Arm, Regime
from distill.experiments.study_run import SCORES, arm_config, check_same, teacher_config
from kd_seg_ros.common.errors import UserError

DRAWS: Final = 2000
"""Draws of the bootstrap."""
LEVEL: Final = 0.95
"""Share of the differences that an interval is to hold."""


@dataclass(frozen=True)
class Gain:
    """How much better an arm is than a baseline, in points of mIoU, over the seeds that both have."""

    seeds: int
    """Number of these seeds."""
    mean: float
    """Mean of the differences."""
    low: float | None
    """Lower end of the t-interval over the seeds; None for a single seed, which has none."""
    high: float | None
    """Upper end of it."""
    images_low: float
    """Lower end of the bootstrap interval of the same mean over the images."""
    images_high: float
    """Upper end of it."""

    def text(self) -> str:
        """Write the gain with both intervals, as a cell of a table."""
        over_seeds = "one seed" if self.low is None else f"seeds {self.low:+.1f} … {self.high:+.1f}"
        return f"{self.mean:+.1f} ({over_seeds}; images {self.images_low:+.1f} … {self.images_high:+.1f})"


@dataclass(frozen=True)
class Row:
    """An arm, or the teacher, with what its evaluated runs have reached."""

    title: str
    """What it learns from."""
    seeds: tuple[int, ...]
    """Seeds whose runs are evaluated."""
    miou: tuple[float, ...]
    """mIoU of each in percent."""
    ece: tuple[float, ...]
    """Expected calibration error of each in percent."""
    steps: int | None
    """Changes of the weights in each run; None if that was not recorded."""
    seconds: float | None
    """Mean seconds of training; None if that was not recorded."""
    gain_at_equal_steps: Gain | None = None
    """How much better it is than the baseline of as many steps."""
    gain_at_equal_cost: Gain | None = None
    """How much better it is than the baseline of about as many seconds."""


def evaluated_seeds(regime: Regime, overrides: Mapping[str, Any]) -> list[int]:
    """Return the seeds, in order, with which any run next to a regime's teacher has been evaluated."""
    seeds = set()
    for path in teacher_config(regime, overrides).run_folder.parent.glob(f"*_seed*/{SCORES}"):
        number = path.parent.name.rpartition("_seed")[2]
        if number.isdecimal():
            seeds.add(int(number))
    return sorted(seeds)


def rows_of(regime: Regime, seeds: Sequence[int] | None, overrides: Mapping[str, Any]) -> list[Row]:
    """Return a row for the teacher and for each arm that has been evaluated with any of these seeds.

    :param seeds: None: all with which there is anything.

    :raises UserError: for scores that cannot be read, that are of different images, or of a run with other
        values than its arm has.
    """
    seeds = evaluated_seeds(regime, overrides) if seeds is None else seeds
    found: dict[Arm, dict[int, EvaluatedRun]] = {}
    for arm in regime.arms:
        runs = {}
        for seed in seeds:
            config = arm_config(regime, arm, seed, overrides)
            if (config.run_folder / SCORES).is_file():
                check_same(config)
                runs[seed] = judged_on(read_run(config.run_folder / SCORES), regime.condition)
        found[arm] = runs
    teacher = teacher_config(regime, overrides)
    rows = []
    if (teacher.run_folder / SCORES).is_file():
        check_same(teacher)
        scores = judged_on(read_run(teacher.run_folder / SCORES), regime.condition)
        rows.append(_row("the teacher", {teacher.seed: scores}, teacher.training.batch_size))
    for arm, runs in found.items():
        if runs:
            batch = arm_config(regime, arm, seeds[0], overrides).training.batch_size
            gains: list[Gain | None] = []
            if arm not in (regime.equal_steps, regime.equal_cost):
                gains = [gain(found[baseline], runs) for baseline in (regime.equal_steps, regime.equal_cost)]
            rows.append(_row(arm.title, runs, batch, *gains))
    return rows


def judged_on(run: EvaluatedRun, condition: str) -> EvaluatedRun:
    """Return a run with the scores of one weather as if its images were all.

    :param condition: key of the scores in a metrics.json.
    :raises UserError: if none of the images is of it.
    """
    scores = run.document["scores"]
    if condition not in scores:
        raise UserError(f"{run.path} has no images of {condition}: {', '.join(scores)}")
    if condition == FULL:
        return run
    chosen = run.images.only(run.images.conditions == condition)
    return replace(run, document={**run.document, "scores": {FULL: scores[condition]}}, images=chosen)


def gain(baseline: Mapping[int, EvaluatedRun], runs: Mapping[int, EvaluatedRun]) -> Gain | None:
    """Compare runs with those of a baseline by seed; None if they have no seed in common.

    :raises UserError: if they are of different images or classes.
    """
    seeds = [seed for seed in runs if seed in baseline]
    if not seeds:
        return None
    pairs = [(baseline[seed], runs[seed]) for seed in seeds]
    for pair in pairs:
        check_comparable(pair)
    differences = [_percent(run, "miou") - _percent(base, "miou") for base, run in pairs]
    mean = fmean(differences)
    low = high = None
    if len(differences) > 1:
        half = t_quantile(len(differences) - 1) * stdev(differences) / math.sqrt(len(differences))
        low, high = mean - half, mean + half
    over_images = bootstrap_of_pairs([(base.images, run.images) for base, run in pairs], DRAWS, LEVEL)
    return Gain(len(seeds), mean, low, high, 100 * over_images.low, 100 * over_images.high)


def t_quantile(freedom: int) -> float:
    """Return the value that Student's t exceeds in absolute value with probability 1 − :data:`LEVEL`.

    :param freedom: degrees of freedom, the number of differences less one.
    """
    from scipy.stats import t  # here, since the list of experiments needs neither

    return float(t.ppf((1 + LEVEL) / 2, freedom))


def markdown(rows: Sequence[Row]) -> str:
    """Lay the rows out as a table in Markdown."""
    lines = [
        "| student | seeds | mIoU [%] | better than the baseline at equal steps by | at equal cost by | "
        "ECE [%] | steps | seconds |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            row.title,
            ", ".join(map(str, row.seeds)),
            _spread(row.miou),
            "" if row.gain_at_equal_steps is None else row.gain_at_equal_steps.text(),
            "" if row.gain_at_equal_cost is None else row.gain_at_equal_cost.text(),
            _spread(row.ece),
            "" if row.steps is None else f"{row.steps}",
            "" if row.seconds is None else f"{row.seconds:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def document(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as plain values for JSON."""
    return [asdict(row) for row in rows]


def _row(
    title: str,
    runs: Mapping[int, EvaluatedRun],
    batch: int,
    at_equal_steps: Gain | None = None,
    at_equal_cost: Gain | None = None,
) -> Row:
    """Collect what the runs of an arm have reached and cost."""
    costs = [read_cost(run.document["model"].get(COST_KEY)) for run in runs.values()]
    known = [cost for cost in costs if cost is not None]
    return Row(
        title,
        tuple(runs),
        tuple(_percent(run, "miou") for run in runs.values()),
        tuple(_percent(run, "ece") for run in runs.values()),
        known[0].images // batch if known else None,
        fmean(cost.seconds for cost in known) if known else None,
        at_equal_steps,
        at_equal_cost,
    )


def _percent(run: EvaluatedRun, score: str) -> float:
    """Return a score over all images in percent."""
    return 100 * float(run.document["scores"][FULL][score])


def _spread(values: Sequence[float]) -> str:
    """Format a mean with the sample standard deviation, where there are several values."""
    text = f"{fmean(values):.1f}"
    return f"{text} ± {stdev(values):.1f}" if len(values) > 1 else text
