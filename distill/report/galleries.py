"""The pictures of single images that the page shows: which, of which runs, and as what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.report import sheet
from distill.report.choice import Choice, by_change, by_score, most_confident_mistakes, worst
from distill.report.figures import write_files
from distill.report.panels import Panel, borders, comparison, single
from distill.report.predictions import Predictions
from distill.report.runs import Run


@dataclass(frozen=True)
class Gallery:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]
    file: str
    """Name of their files, without extension."""


@dataclass(frozen=True)
class Plan:
    """One gallery to be: images of a run, compared with those of another run or alone."""

    section: str
    """``panels``, ``worst`` or ``mistakes``."""
    title: str
    run: Run
    reference: Run | None
    choices: Sequence[Choice]


def plan(runs: Sequence[Run], pairs: Sequence[tuple[Run, Run]]) -> list[Plan]:
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


def make(plans: Sequence[Plan], predictions: Predictions, folder: Path) -> dict[str, list[Gallery]]:
    """Make all galleries by section, ``borders`` among them, and write each as PNG and PDF.

    :raises UserError: if a file cannot be written.
    """
    found: dict[str, list[Gallery]] = {}
    for chosen in plans:
        panels = [_panel(chosen, choice, predictions) for choice in chosen.choices]
        file = write_files(sheet.draw(panels), folder, f"{chosen.section} {chosen.title}")
        found.setdefault(chosen.section, []).append(Gallery(chosen.title, panels, file))
    name, sample = next(iter(predictions.samples.items()))
    weights = [borders(name, sample, plans[0].run.class_names)]
    file = write_files(sheet.draw(weights), folder, "border weights")
    found["borders"] = [Gallery("", weights, file)]
    return found


def _panel(chosen: Plan, choice: Choice, predictions: Predictions) -> Panel:
    sample = predictions.samples[choice.name]
    own = predictions.found[chosen.run.label, choice.name]
    if chosen.reference is None:
        return single(choice, sample, chosen.run, own)
    other = predictions.found[chosen.reference.label, choice.name]
    return comparison(choice, sample, (chosen.reference, other), (chosen.run, own))
