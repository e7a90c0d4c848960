"""What each run is compared with: another run, and an experiment of the thesis.

Distillation is judged on one network: a run is compared with the baseline of its own network. That is the
report's baseline, or, for another network, its first run without a teacher. Without either, a run is compared
with the report's baseline all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.experiments.matching import differences
from distill.experiments.thesis import ACDC_VAL, EXPERIMENTS, Experiment
from distill.report.runs import Run, miou_of
from kd_seg_ros.common.classes import CLASS_NAMES

_GENERATED = "SCENES"
"""File names of `kd_seg scenes`, whose folders have ACDC's layout, begin with this."""


def references(runs: Sequence[Run]) -> dict[str, Run]:
    """Return the run that each is compared with, by label; baselines have none.

    :param runs: the report's baseline first.
    """
    baseline = runs[0]
    own = {baseline.network: baseline}
    for network, same in by_network(runs).items():
        plain = [run for run in same if not run.distilled]
        if network not in own and plain and len(same) > 1:
            own[network] = plain[0]
    found = {run.label: own.get(run.network, baseline) for run in runs}
    return {label: reference for label, reference in found.items() if label != reference.label}


def pairs(runs: Sequence[Run], compared: Mapping[str, Run]) -> list[tuple[Run, Run]]:
    """Return each baseline and the best run compared with it, of the same network if there is one."""
    found = []
    for reference in runs:
        others = [run for run in runs if compared.get(run.label) is reference]
        same = [run for run in others if run.network == reference.network]
        if others:
            found.append((reference, max(same or others, key=miou_of)))
    return found


def by_network(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group runs by their network, in order."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.network, []).append(run)
    return groups


def experiment_of(run: Run) -> Experiment | None:
    """Return the thesis' experiment that a run repeats in name, classes, network, data and objective."""
    experiment = _namesake(run)
    if experiment is None or differences(experiment, run.config, run.training_images):
        return None
    return experiment


def unlike_the_thesis(runs: Sequence[Run]) -> list[str]:
    """Say of each run that is called like an experiment of the thesis, and is another, where they differ."""
    notes = []
    for run in runs:
        experiment = _namesake(run)
        if experiment is None:
            continue
        differing = differences(experiment, run.config, run.training_images)
        if differing:
            notes.append(
                f"{run.label} is called like {experiment.where} of the thesis, and is not that experiment: "
                f"{'; '.join(differing[:3])}{'; …' if len(differing) > 3 else ''}. Its row is not shown."
            )
    return notes


def _namesake(run: Run) -> Experiment | None:
    """Return the experiment of a run's name, if the run is over ACDC's classes and weathers."""
    if run.class_names != CLASS_NAMES or not set(run.conditions) <= set(ACDC_VAL):
        return None
    return next((experiment for experiment in EXPERIMENTS if experiment.name == run.name), None)


def is_acdc_val(run: Run) -> bool:
    """True if a run was evaluated on ACDC's validation split: as many images, none of them generated."""
    counts = {condition: run.scores(condition)["images"] for condition in run.conditions}
    generated = any(name.rpartition("/")[2].startswith(_GENERATED) for name in run.images.names.tolist())
    return run.class_names == CLASS_NAMES and counts == ACDC_VAL and not generated
