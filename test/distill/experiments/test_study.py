"""Every arm of the project's own experiments is a valid configuration that differs in what it should."""

from __future__ import annotations

import pytest

from distill.config import load_config
from distill.config.shipped import shipped_configs
from distill.experiments.study import FEW, SCENES, STUDIES, Regime
from distill.experiments.study_run import arm_config, teacher_config

REGIMES = sorted({regime.name: regime for regimes in STUDIES.values() for regime in regimes}.items())


@pytest.mark.parametrize("regime", [regime for _, regime in REGIMES], ids=[name for name, _ in REGIMES])
def test_arms_differ_in_what_they_learn_from_alone(regime: Regime) -> None:
    baseline = load_config(regime.equal_steps.config)
    longer = load_config(regime.equal_cost.config)
    assert baseline.teacher is None
    assert longer.training.epochs > baseline.training.epochs
    same = longer.training.model_copy(update={"epochs": baseline.training.epochs})
    assert (longer.data, longer.student, longer.objective, same) == (
        baseline.data,
        baseline.student,
        baseline.objective,
        baseline.training,
    )
    for arm in regime.others:
        config = arm_config(regime, arm, 3, {"out": "elsewhere"})
        assert (config.student, config.training) == (baseline.student, baseline.training)
        assert config.run_folder.parts == ("elsewhere", f"{arm.config}_seed3")
        assert (config.data.crop, config.data.draws) == (baseline.data.crop, baseline.data.draws)
        if config.teacher is None:
            # A ceiling: the same student with more labels, or better ones.
            assert config.data.limit is None
            more = config.data.extra and config.data.extra[0].labelled
            other = config.data.root != baseline.data.root
            assert baseline.data.limit or more or other
            continue
        teacher = teacher_config(regime, {"out": "elsewhere"})
        assert config.teacher.checkpoint == str(teacher.run_folder / "last.ckpt")
        assert teacher.teacher is None
        assert teacher.data.crop == config.data.crop
    assert baseline.train_size >= (256, 256)


def test_unlabelled_images_are_of_the_same_folder_and_normalised_alike() -> None:
    config = load_config("camvid_few_kl", {"data.root": "elsewhere", "data.mean": [0.4, 0.4, 0.4]})
    (extra,) = config.data.extra
    assert (extra.root, extra.mean, extra.labelled, extra.limit) == ("elsewhere", (0.4,) * 3, False, None)
    assert (config.data.limit, config.data.labelled) == (40, True)


def test_every_configuration_of_the_studies_is_an_arm_a_teacher_or_a_base() -> None:
    used = {regime.teacher for _, regime in REGIMES}
    used |= {arm.config for _, regime in REGIMES for arm in regime.arms}
    own = {name for name in shipped_configs() if name.startswith(("camvid_", "scenes_"))}
    assert own - used == {
        "camvid_base",
        "camvid_few_base",
        "camvid_dusk_base",
        "camvid_thesis_base",
        "scenes_base",
        "scenes_night_base",
        "scenes_noise_base",
    }
    assert FEW in STUDIES["camvid"]
    assert STUDIES["scenes"] == (SCENES,)
