"""Which images the report shows, by the scores of the single images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from distill.report.runs import Run, image_miou
from distill.report.table import signed

SHOWN: Final = 4
"""So many of the worst images and of the most confident mistakes."""


@dataclass(frozen=True)
class Choice:
    """An image, and why it is shown."""

    name: str
    why: str


def by_change(reference: Run, run: Run) -> dict[str, list[Choice]]:
    """Choose by condition the images whose mIoU gains most, is in the middle, and loses most."""
    before, after = image_miou(reference.images), image_miou(run.images)
    chosen = {}
    for condition, order in _ordered(run, before - after).items():
        first = "greatest gain" if after[order[0]] > before[order[0]] else "least loss"
        last = "greatest loss" if after[order[-1]] < before[order[-1]] else "least gain"
        chosen[condition] = [
            Choice(
                str(run.images.names[at]),
                f"{why}: mIoU {100 * before[at]:.1f} → {100 * after[at]:.1f} "
                f"({signed(100 * (after[at] - before[at]))})",
            )
            for at, why in _spread(order, (first, "middle", last))
        ]
    return chosen


def by_score(run: Run) -> dict[str, list[Choice]]:
    """Choose by condition the best image, the middle one and the worst."""
    miou = image_miou(run.images)
    return {
        condition: [
            Choice(str(run.images.names[at]), f"{why}: mIoU {100 * miou[at]:.1f}")
            for at, why in _spread(order, ("best", "middle", "worst"))
        ]
        for condition, order in _ordered(run, -miou).items()
    }


def worst(run: Run) -> list[Choice]:
    """Choose the images of the lowest mIoU over the classes that their labels hold."""
    miou = image_miou(run.images)
    order = np.argsort(miou, kind="stable")[: min(SHOWN, int((~np.isnan(miou)).sum()))]
    return [Choice(str(run.images.names[at]), f"mIoU {100 * miou[at]:.1f}") for at in order.tolist()]


def most_confident_mistakes(run: Run) -> list[Choice]:
    """Choose the images with the greatest share of labelled pixels that are wrong and in the topmost bin."""
    images = run.images
    wrong = (images.count - images.correct)[:, -2:].sum(
        axis=1
    )  # confidence of exactly 1 has a cell of its own
    share = wrong / np.maximum(images.count.sum(axis=1), 1)
    order = np.argsort(-share, kind="stable")[:SHOWN]
    bins = images.count.shape[1] - 1
    topmost = f"{100 * (bins - 1) / bins:.0f} %"
    return [
        Choice(
            str(images.names[at]),
            f"{100 * share[at]:.2f} % of its pixels are wrong at a confidence of {topmost} or more",
        )
        for at in order.tolist()
        if share[at] > 0
    ]


def _ordered(run: Run, values: np.ndarray) -> dict[str, list[int]]:
    """Return the images of each condition, the least value first; those without a value are left out."""
    chosen = {}
    for condition in run.conditions:
        here = np.flatnonzero((run.images.conditions == condition) & ~np.isnan(values))
        if len(here):
            chosen[condition] = here[np.argsort(values[here], kind="stable")].tolist()
    return chosen


def _spread(order: list[int], why: tuple[str, str, str]) -> list[tuple[int, str]]:
    """Take the first, the middle and the last, as far as they are different images."""
    places = {0: why[0], len(order) - 1: why[2], len(order) // 2: why[1]} if len(order) > 2 else {}
    if not places:
        places = {0: why[0]} | ({1: why[2]} if len(order) == 2 else {})
    return [(order[place], places[place]) for place in sorted(places)]
