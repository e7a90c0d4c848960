"""The gains in a study's table, compared with SciPy's paired t-test and with the bootstrap of one pair."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluated import write_run
from scipy import stats

from distill.evaluation.bootstrap import paired_bootstrap
from distill.evaluation.evaluated_run import EvaluatedRun, read_run
from distill.experiments.study_table import DRAWS, Gain, Row, gain, judged_on, markdown
from kd_seg_ros.common.errors import UserError


def evaluated(folder: Path, skill: float, seeds: int) -> dict[int, EvaluatedRun]:
    return {
        seed: read_run(write_run(folder / f"{skill}_{seed}", skill=skill, seed=seed, images=12))
        for seed in range(seeds)
    }


def percent(runs: dict[int, EvaluatedRun]) -> list[float]:
    return [100 * run.document["scores"]["full"]["miou"] for run in runs.values()]


def test_the_interval_over_seeds_is_that_of_a_paired_t_test(tmp_path: Path) -> None:
    baseline, better = evaluated(tmp_path, 1.0, 3), evaluated(tmp_path, 1.5, 4)
    found = gain(baseline, better)
    assert found is not None
    expected = stats.ttest_rel(percent(better)[:3], percent(baseline)).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx((expected.low + expected.high) / 2)
    assert found.seeds == 3
    assert found.images_low < found.mean < found.images_high


def test_one_seed_has_no_interval_over_seeds_and_that_of_compare_over_images(tmp_path: Path) -> None:
    baseline, better = evaluated(tmp_path, 1.0, 1), evaluated(tmp_path, 1.5, 1)
    found = gain(baseline, better)
    assert found is not None
    miou, _ = paired_bootstrap(baseline[0].images, better[0].images, None, DRAWS)
    assert (found.low, found.high) == (None, None)
    assert (found.images_low, found.images_high) == pytest.approx((100 * miou.low, 100 * miou.high))


def test_runs_are_compared_by_seed_and_on_the_same_images(tmp_path: Path) -> None:
    runs = evaluated(tmp_path, 1.0, 2)
    assert gain({0: runs[0]}, {1: runs[1]}) is None
    other = read_run(write_run(tmp_path / "other", labels_seed=1, images=12))
    with pytest.raises(UserError, match="cannot be compared"):
        gain(runs, {0: other})


def test_a_regime_may_be_judged_by_one_weather(tmp_path: Path) -> None:
    (run,) = evaluated(tmp_path, 1.0, 1).values()
    assert judged_on(run, "full") is run
    condition = str(run.images.conditions[0])
    found = judged_on(run, condition)
    assert found.document["scores"] == {"full": run.document["scores"][condition]}
    assert set(found.images.conditions) == {condition}
    assert 0 < len(found.images) < len(run.images)
    with pytest.raises(UserError, match="has no images of dust: full, "):
        judged_on(run, "dust")


def test_a_table_shows_both_intervals() -> None:
    found = Gain(2, 3.04, 1.0, 5.0, 2.5, 3.5)
    rows = [
        Row("the teacher", (0,), (60.0,), (5.0,), 400, 1234.5),
        Row("KL", (0, 1), (50.0, 52.0), (4.0, 4.0), None, None, found, Gain(1, -1.0, None, None, -2.0, 0.1)),
    ]
    teacher, student = markdown(rows).splitlines()[2:]
    assert teacher == "| the teacher | 0 | 60.0 |  |  | 5.0 | 400 | 1234 |"
    assert student == (
        "| KL | 0, 1 | 51.0 ± 1.4 | +3.0 (seeds +1.0 … +5.0; images +2.5 … +3.5) | "
        "-1.0 (one seed; images -2.0 … +0.1) | 4.0 ± 0.0 |  |  |"
    )
