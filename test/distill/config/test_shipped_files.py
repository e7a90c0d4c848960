"""The shipped configurations: all are valid, and those of the survey are complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.config import Config, load_config

EXPERIMENTS = sorted((Path(__file__).parents[3] / "config" / "distill").glob("*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_shipped_experiments_are_valid(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_there_are_shipped_experiments() -> None:
    assert EXPERIMENTS


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_what_a_run_writes_down_reads_back_the_same(path: Path) -> None:
    config = load_config(path)
    again = Config.model_validate(config.model_dump(mode="json"))
    assert again.objective == config.objective
    assert again.digest() == config.digest()


def test_every_surveyed_technique_has_its_file() -> None:
    used: set[str] = set()
    for path in EXPERIMENTS:
        if not path.stem.startswith("survey_"):
            continue
        objective = load_config(path).objective
        used |= {term.loss for term in objective.features}
        used |= {"adversarial"} if objective.adversarial else set()
        used |= {"curriculum"} if objective.curriculum_temperature else set()
        used |= {"whitened"} if any(term.whiten for term in objective.features) else set()
        used |= (
            {"projectors"}
            if any(term.adapters is not None and term.adapters.projectors > 1 for term in objective.features)
            else set()
        )
    assert used >= {"attention_transfer", "self_similarity", "cross_image", "local_similarity", "intra_class"}
    assert used >= {"cad", "pad", "adversarial", "curriculum", "whitened", "projectors"}


@pytest.mark.parametrize("first", ["survey_assistant_convnext_t", "survey_early_teacher_convnext_l"])
def test_the_second_of_two_steps_learns_from_the_first(first: str) -> None:
    folder = EXPERIMENTS[0].parent
    second = first.rsplit("_", 2)[0] + "_rn18"
    teacher = load_config(folder / f"{second}.yaml").teacher
    assert teacher is not None
    assert teacher.checkpoint == str(load_config(folder / f"{first}.yaml").run_folder / "best.ckpt")
    assert load_config(folder / "survey_early_teacher_convnext_l.yaml").training.epochs == 60
