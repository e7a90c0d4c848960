"""Which images are shown, and why."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import Any

import numpy as np

from distill.evaluation.image_scores import ImageScores
from distill.report.galleries import by_change, by_score, most_confident_mistakes, worst
from distill.report.runs import Run


def with_hits(run: Run, hits: list[int], conditions: list[str], *, label: str = "") -> Run:
    """A run of two classes over images of 100 pixels of class 0, of which so many are right."""
    confusion = np.array([[[n, 100 - n, 0], [0, 0, 0]] for n in hits])
    count = np.zeros((len(hits), 16), np.int64)
    images = ImageScores(
        np.array([f"{number}.png" for number in range(len(hits))]),
        np.array(conditions),
        confusion,
        count,
        count.astype(float),
        count,
    )
    scores: dict[str, Any] = {condition: {} for condition in ("full", *dict.fromkeys(conditions))}
    evaluated = replace(run.evaluated, images=images, document=run.document | {"scores": scores})
    return replace(run, evaluated=evaluated, label=label or run.label)


def test_gains_and_losses_of_each_condition(runs: list[Run]) -> None:
    conditions = ["fog"] * 5 + ["night"] * 2 + ["rain"]
    before = with_hits(runs[0], [50, 50, 50, 50, 50, 50, 50, 50], conditions)
    after = with_hits(runs[1], [60, 40, 70, 52, 51, 55, 60, 40], conditions)
    chosen = by_change(before, after)
    names = {condition: list(map(attrgetter("name"), found)) for condition, found in chosen.items()}
    assert names == {
        "fog": ["2.png", "3.png", "1.png"],
        "night": ["6.png", "5.png"],
        "rain": ["7.png"],
    }
    assert chosen["fog"][0].why == "greatest gain: mIoU 50.0 → 70.0 (+20.0)"
    assert chosen["fog"][2].why == "greatest loss: mIoU 50.0 → 40.0 (−10.0)"
    assert chosen["night"][1].why.startswith("least gain")
    assert chosen["rain"][0].why.startswith("least loss")


def test_one_run_alone_shows_its_best_middle_and_worst(runs: list[Run]) -> None:
    run = with_hits(runs[0], [50, 90, 20, 60, 70], ["fog"] * 5)
    assert [(c.name, c.why.split(":")[0]) for c in by_score(run)["fog"]] == [
        ("1.png", "best"),
        ("3.png", "middle"),
        ("2.png", "worst"),
    ]


def test_images_without_labels_are_left_out(runs: list[Run]) -> None:
    run = with_hits(runs[0], [50, 90, 20], ["fog", "fog", "night"])
    run.images.confusion[2] = 0
    assert list(by_score(run)) == ["fog"]
    assert [choice.name for choice in worst(run)] == ["0.png", "1.png"]


def test_worst_images(runs: list[Run]) -> None:
    run = with_hits(runs[0], [50, 90, 20, 60, 70], ["fog"] * 5)
    assert [choice.name for choice in worst(run)] == ["2.png", "0.png", "3.png", "4.png"]
    assert worst(run)[0].why == "mIoU 20.0"


def test_most_confident_mistakes(runs: list[Run]) -> None:
    run = with_hits(runs[0], [50] * 4, ["fog"] * 4)
    count, correct = run.images.count, run.images.correct.copy()
    # Wrong in the topmost bin, in the cell of exactly 1, only below, nowhere.
    for image, (cell, right) in enumerate([(14, 90), (15, 80), (13, 0), (15, 100)]):
        count[image, cell], correct[image, cell] = 100, right
    evaluated = replace(run.evaluated, images=replace(run.images, correct=correct))
    found = most_confident_mistakes(replace(run, evaluated=evaluated))
    assert [choice.name for choice in found] == ["1.png", "0.png"]
    assert found[0].why == "20.00 % of its pixels are wrong at a confidence of 93 % or more"
