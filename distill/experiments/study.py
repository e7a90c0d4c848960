"""The project's own experiments on whether distillation pays: which students are compared with which.

docs/experiments.md holds their design. Every arm is a configuration of its own in config/distill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from distill.evaluation.metrics_json import FULL


@dataclass(frozen=True)
class Arm:
    """One kind of student, trained with several seeds."""

    config: str
    """Name, or path, of its configuration."""
    title: str
    """What it learns from, for a table."""


@dataclass(frozen=True)
class Regime:
    """Students of one network and one set of labels, and the teacher of those that have one."""

    name: str
    """Name, by which ``--run`` finds it; also the mark of its table in docs/experiments.md."""
    title: str
    """What the regime is, for the head of its table."""
    teacher: str
    """Configuration of the teacher, which is trained once, with seed 0, on the labels alone."""
    equal_steps: Arm
    """Baseline without a teacher, trained for as many steps as the distilled students."""
    equal_cost: Arm
    """Baseline without a teacher, trained for about as many seconds as the distilled students."""
    others: tuple[Arm, ...]
    """The distilled students, and a ceiling where there is one."""
    condition: str = FULL
    """Weather of the validation images that students are judged on; default: all."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All students, the baselines first."""
        return self.equal_steps, self.equal_cost, *self.others


FEW: Final = Regime(
    "camvid_few",
    "CamVid with 40 labels",
    "camvid_few_teacher",
    Arm("camvid_few_labels", "40 labels"),
    Arm("camvid_few_long", "40 labels, longer"),
    (
        Arm("camvid_few_kl_labelled", "40 labels + KL on the same images"),
        Arm("camvid_few_kl", "40 labels + KL on 367 images"),
        Arm("camvid_few_kl_cwd", "40 labels + KL and CWD on 367 images"),
        Arm("camvid_few_pseudo", "40 labels + the teacher's classes on 367 images"),
        Arm("camvid_few_all", "367 labels (ceiling)"),
    ),
)
DUSK: Final = Regime(
    "camvid_dusk",
    "CamVid, one drive at dusk labelled, judged by day",
    "camvid_dusk_teacher",
    Arm("camvid_dusk_labels", "62 labels, at dusk"),
    Arm("camvid_dusk_long", "62 labels, longer"),
    (
        Arm("camvid_dusk_kl_labelled", "62 labels + KL on the same images"),
        Arm("camvid_dusk_kl", "62 labels + KL on 367 images of three drives"),
        Arm("camvid_dusk_pseudo", "62 labels + the teacher's classes on 367 images"),
        Arm("camvid_dusk_all", "labels of all three drives (ceiling)"),
    ),
)
SMALL: Final = Regime(
    "camvid_small",
    "CamVid, small student without ImageNet weights",
    "camvid_teacher",
    Arm("camvid_small_labels", "labels"),
    Arm("camvid_small_long", "labels, longer"),
    (
        Arm("camvid_small_kl", "labels + KL"),
        Arm("camvid_small_kl_border", "labels + KL-border"),
        Arm("camvid_small_kl_cwd", "labels + KL and CWD on the logits"),
    ),
)
THESIS: Final = Regime(
    "camvid_thesis",
    "CamVid, the thesis' regime",
    "camvid_thesis_teacher",
    Arm("camvid_thesis_border", "border-focal"),
    Arm("camvid_thesis_long", "border-focal, longer"),
    (
        Arm("camvid_thesis_kl", "KL + border-focal"),
        Arm("camvid_thesis_kl_border", "KL-border + border-focal"),
        Arm("camvid_thesis_cwd", "CWD + border-focal"),
        Arm("camvid_thesis_l2", "L2 + border-focal"),
        Arm("camvid_thesis_lad", "LAD + border-focal"),
        Arm("camvid_thesis_l2_kl", "L2 + KL + border-focal"),
        Arm("camvid_thesis_cwd_kl", "CWD + KL + border-focal"),
    ),
)
NIGHT: Final = Regime(
    "scenes_night",
    "Scenes, no labels of the night, judged at night",
    "scenes_night_teacher",
    Arm("scenes_night_labels", "labels of fog, rain and snow"),
    Arm("scenes_night_long", "labels of fog, rain and snow, longer"),
    (
        Arm("scenes_night_pseudo", "these labels + the teacher's classes at night"),
        Arm("scenes_night_all", "labels of all four weathers (ceiling)"),
    ),
    condition="night",
)
NOISE: Final = Regime(
    "scenes_noise",
    "Scenes, noise in the labels",
    "scenes_noise_teacher",
    Arm("scenes_noise_labels", "noisy labels"),
    Arm("scenes_noise_long", "noisy labels, longer"),
    (
        Arm("scenes_noise_kl", "noisy labels + KL on the same images"),
        Arm("scenes_noise_pseudo", "noisy labels + the teacher's classes of the same images"),
        Arm("scenes_noise_clean", "labels without noise (ceiling)"),
    ),
)
SCENES: Final = Regime(
    "scenes",
    "Scenes with 100 labels",
    "scenes_teacher",
    Arm("scenes_labels", "100 labels"),
    Arm("scenes_long", "100 labels, longer"),
    (
        Arm("scenes_kl_labelled", "100 labels + KL on the same images"),
        Arm("scenes_kl", "100 labels + KL on 3000 images"),
        Arm("scenes_kl_cwd", "100 labels + KL and CWD on 3000 images"),
        Arm("scenes_all", "400 labels (ceiling)"),
    ),
)
STUDIES: Final[Mapping[str, tuple[Regime, ...]]] = {
    "camvid": (FEW, SMALL, THESIS),
    **{regime.name: (regime,) for regime in (DUSK, FEW, SMALL, THESIS, SCENES, NIGHT, NOISE)},
}
"""What ``kd_seg experiments --run`` takes besides the experiments of the thesis, by name: all regimes on
a data set, or one of them."""
