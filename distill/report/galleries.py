"""Which images the page shows, of which runs and in which pictures, chosen by the scores of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from distill.report.figures import write_files
from distill.report.panels import Choice, Panel, borders, comparison, draw_sheet, single, unpredicted
from distill.report.predictions import Predictions
from distill.report.runs import Run, image_miou
from distill.report.tables import signed

SHOWN: Final = 4
"""Number of the worst images that are shown, and of those with the most confident mistakes."""


def by_change(reference: Run, run: Run) -> dict[str, list[Choice]]:
    """Choose by condition the images whose mIoU gains most, is in the middle, and loses most."""
    before, after = image_miou(reference.images), image_miou(run.images)
    chosen: dict[str, list[Choice]] = {}
    for condition, order in _ordered(run, before - after).items():
        first = "greatest gain" if after[order[0]] > before[order[0]] else "least loss"
        last = "greatest loss" if after[order[-1]] < before[order[-1]] else "least gain"
        chosen[condition] = []
        for at, why in _spread(order, (first, "middle", last)):
            change = signed(100 * (after[at] - before[at]))
            text = f"{why}: mIoU {100 * before[at]:.1f} → {100 * after[at]:.1f} ({change})"
            chosen[condition].append(Choice(str(run.images.names[at]), text))
    return chosen


def by_score(run: Run) -> dict[str, list[Choice]]:
    """Choose by condition the best image, the middle one and the worst."""
    miou = image_miou(run.images)
    chosen: dict[str, list[Choice]] = {}
    for condition, order in _ordered(run, -miou).items():
        chosen[condition] = []
        for at, why in _spread(order, ("best", "middle", "worst")):
            text = f"{why}: mIoU {100 * miou[at]:.1f}"
            chosen[condition].append(Choice(str(run.images.names[at]), text))
    return chosen


def worst(run: Run) -> list[Choice]:
    """Choose the images of the lowest mIoU over the classes that their labels hold."""
    miou = image_miou(run.images)
    order = np.argsort(miou, kind="stable")[: min(SHOWN, int((~np.isnan(miou)).sum()))]
    return [Choice(str(run.images.names[at]), f"mIoU {100 * miou[at]:.1f}") for at in order.tolist()]


def most_confident_mistakes(run: Run) -> list[Choice]:
    """Choose the images with the greatest share of labelled pixels that are wrong and in the topmost bin."""
    images = run.images
    # The topmost bin, and the separate cell of confidence exactly 1.
    wrong = (images.count - images.correct)[:, -2:].sum(axis=1)
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


@dataclass(frozen=True)
class Gallery:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]
    file: str
    """Name of the gallery's files, without extension."""


@dataclass(frozen=True)
class Plan:
    """What one gallery will show: images of a run, alone or compared with those of another run."""

    section: str
    """``panels``, ``worst`` or ``mistakes``."""
    title: str
    run: Run
    reference: Run | None
    choices: Sequence[Choice]


def plan_galleries(runs: Sequence[Run], pairs: Sequence[tuple[Run, Run]]) -> list[Plan]:
    """Choose the images of all galleries.

    :param pairs: baselines, and the run that each is shown with; none if there is one run alone.
    """
    plans = []
    for reference, run in pairs:
        for condition, choices in by_change(reference, run).items():
            title = f"{condition}: {reference.label} and {run.label}"
            plans.append(Plan("panels", title, run, reference, choices))
    if not pairs:
        for condition, choices in by_score(runs[0]).items():
            plans.append(Plan("panels", condition, runs[0], None, choices))
    for run in judged(runs, pairs):
        plans.append(Plan("worst", run.label, run, None, worst(run)))
        plans.append(Plan("mistakes", run.label, run, None, most_confident_mistakes(run)))
    return [chosen for chosen in plans if chosen.choices]


def judged(runs: Sequence[Run], pairs: Sequence[tuple[Run, Run]]) -> list[Run]:
    """Return the runs whose failures are shown: the best of each pair, or the only run."""
    return [run for _, run in pairs] or [runs[0]]


def wanted(plans: Sequence[Plan]) -> list[tuple[Run, list[str]]]:
    """Return which images each run must see, each once."""
    names: dict[str, tuple[Run, dict[str, None]]] = {}
    for chosen in plans:
        for run in filter(None, (chosen.reference, chosen.run)):
            seen = names.setdefault(run.label, (run, {}))[1]
            seen.update(dict.fromkeys(choice.name for choice in chosen.choices))
    return [(run, list(seen)) for run, seen in names.values()]


def make_galleries(plans: Sequence[Plan], predictions: Predictions, folder: Path) -> dict[str, list[Gallery]]:
    """Make all galleries by section, ``borders`` among them, and write each as PNG and PDF.

    :raises UserError: if a file cannot be written.
    """
    found: dict[str, list[Gallery]] = {}
    for chosen in plans:
        panels = []
        for choice in chosen.choices:
            panel = _panel(chosen, choice, predictions)
            if panel is not None:
                panels.append(panel)
        if panels:
            file = write_files(draw_sheet(panels), folder, f"{chosen.section} {chosen.title}")
            found.setdefault(chosen.section, []).append(Gallery(chosen.title, panels, file))
    if predictions.samples:
        name, sample = next(iter(predictions.samples.items()))
        weights = [borders(name, sample, plans[0].run.class_names)]
        file = write_files(draw_sheet(weights), folder, "border weights")
        found["borders"] = [Gallery("", weights, file)]
    return found


def _panel(chosen: Plan, choice: Choice, predictions: Predictions) -> Panel | None:
    """Show an image with the predictions that there are; None if there is no image."""
    sample = predictions.samples.get(choice.name)
    if sample is None:
        return None
    there = []
    for run in filter(None, (chosen.reference, chosen.run)):
        prediction = predictions.found.get((run.label, choice.name))
        if prediction is not None:
            there.append((run, prediction))
    if len(there) == 2:
        return comparison(choice, sample, there[0], there[1])
    if there:
        return single(choice, sample, *there[0])
    return unpredicted(choice, sample, chosen.run.class_names)
