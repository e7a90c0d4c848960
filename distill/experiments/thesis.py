"""The experiments of the thesis and the results that it reports on ACDC's validation split.

Of Table 4.6 the rain and snow columns of the four MobileNetV4 rows (A–D) are almost certainly swapped, and
row H of Table 4.7 repeats row G; the numbers are kept as printed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from distill.experiments.study import STUDIES
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.share import share_path
from kd_seg_ros.common.suggest import did_you_mean

ACDC_VAL: Final[Mapping[str, int]] = {"fog": 100, "night": 106, "rain": 100, "snow": 100}
"""Number of images of ACDC's validation split by condition."""
ACDC_TRAIN: Final = 1600
"""Number of images of ACDC's training split."""
THESIS_REMARKS: Final = (
    "The thesis' Table 2.3: ACDC's clear-weather (normal) images with labels are 800 for training and 203",
    "for validation. Its Table 4.4, mIoU on ACDC's test split: ViT-Adapter 78.4, Mask2Former 77.3,",
    "HRNetV2-W48 75.0.",
)
"""What the thesis reports besides its validation results, for the foot of a table."""
SWAPPED: Final = ("A", "B", "C", "D")
"""Rows of Table 4.6 whose numbers for rain and snow are almost certainly swapped."""
LOST: Final = ("4.7", "H")
"""Table and row whose numbers per class repeat those of another row; its mean is its own."""


@dataclass(frozen=True)
class Result:
    """A row of a table of the thesis: mIoU in percent over all images and by condition, and the ECE."""

    full: float
    fog: float
    night: float
    rain: float
    snow: float
    ece: float | None = None
    """Expected calibration error, 0…1, averaged over batches of 16 images; None where it is not reported."""


@dataclass(frozen=True)
class Experiment:
    """One training run of the thesis, or one next to it."""

    name: str
    """The experiment's name, which is also that of its file in config/distill, without ``.yaml``."""
    where: str
    """Table, figure or chapter of the thesis that reports or proposes it."""
    result: Result | None = None
    """What the thesis reports; None for runs that it mentions without these numbers."""

    @property
    def file(self) -> Path:
        """The experiment's configuration file.

        :raises UserError: if the package's files were not installed.
        """
        return share_path(f"config/distill/{self.name}.yaml")

    @property
    def letter(self) -> str | None:
        """The experiment's row in Tables 4.6 to 4.8, A to J, if it has one."""
        table, _, row = self.where.rpartition(" ")
        return row if table == "Table 4.6" else None

    def per_class(self, table: str) -> Mapping[str, float]:
        """Return the experiment's row of Table 4.7 (IoU) or 4.8 (AUPRC), in percent by class and ``mean``.

        The row is empty where the table has none, and holds the mean alone where it is :data:`LOST`.

        :param table: "4.7" or "4.8".
        """
        row = self.letter or ""
        values = _per_class_rows().get((table, row), {})
        return {"mean": values["mean"]} if (table, row) == LOST else values


EXPERIMENTS: Final = (
    Experiment("teacher_convnext_l", "Table 4.3", Result(85.0, 87.7, 74.0, 82.1, 84.0)),
    Experiment("teacher_acdc_convnext_l", "not in it"),
    Experiment("a_mnv4_border", "Table 4.6 A", Result(69.9, 77.3, 52.0, 74.1, 67.1, 0.076)),
    Experiment("b_mnv4_l2_border", "Table 4.6 B", Result(72.4, 76.4, 55.0, 76.4, 70.6, 0.071)),
    Experiment("c_mnv4_cwd_kl_border", "Table 4.6 C", Result(72.7, 77.6, 55.9, 76.6, 69.7, 0.068)),
    Experiment("d_mnv4_l2_kl_border", "Table 4.6 D", Result(73.1, 78.1, 55.2, 76.3, 71.6, 0.070)),
    Experiment("e_rn18_border", "Table 4.6 E", Result(67.7, 75.7, 50.5, 66.3, 68.7, 0.059)),
    Experiment("f_rn18_l2_kl_border", "Table 4.6 F", Result(68.1, 74.6, 52.0, 65.6, 70.4, 0.059)),
    Experiment("g_rn18_lad_border", "Table 4.6 G", Result(68.8, 76.5, 52.7, 66.6, 72.5, 0.065)),
    Experiment("h_rn18_l2_border", "Table 4.6 H", Result(69.1, 75.1, 52.8, 67.4, 71.5, 0.061)),
    Experiment("i_rn18_cwd_kl_border", "Table 4.6 I", Result(70.4, 75.7, 53.7, 68.2, 73.4, 0.059)),
    Experiment("j_rn18_cwd_border", "Table 4.6 J", Result(71.2, 75.7, 54.6, 69.8, 74.6, 0.063)),
    Experiment("short_rn18", "Figure 4.2"),
    Experiment("short_rn18_kl", "Figure 4.2"),
    Experiment("short_rn18_kl_border", "Figure 4.2"),
    Experiment("short_rn18_kl_border_l2_prelogits", "Figure 4.2"),
    Experiment("long_rn18_kl_border_l2_prelogits", "ch. 4.4.1"),
    Experiment("short_pidnet_s", "Figure 4.3"),
    Experiment("short_pidnet_s_kl", "Figure 4.3"),
    Experiment("ch5_rn18_cwd_border_more_data", "ch. 5"),
    Experiment("ch5_mnv4_l2_kl_border_more_data", "ch. 5"),
    Experiment("ch5_rn18_kl_unlabelled_acdc", "ch. 5"),
    Experiment("ch5_rn18_kl_unlabelled_bag", "ch. 5"),
    Experiment("ch5_pidnet_s_fused_concatenation", "ch. 5"),
    Experiment("ch5_pidnet_s_fused_attention", "ch. 5"),
    Experiment("baseline_pidnet_l", "Table 4.2", Result(71.1, 77.5, 52.2, 68.8, 74.7)),
    Experiment("baseline_mnv4", "Table 4.2", Result(70.1, 77.0, 51.4, 68.2, 75.3)),
    Experiment("baseline_pidnet_m", "Table 4.2", Result(70.0, 76.6, 51.7, 71.1, 71.8)),
    Experiment("baseline_pidnet_s", "Table 4.2", Result(68.8, 74.6, 52.2, 65.9, 72.0)),
    Experiment("baseline_rn18", "Table 4.2", Result(67.7, 74.8, 50.1, 65.2, 68.2)),
    Experiment("baseline_sfnet", "Table 4.2", Result(66.9, 74.1, 48.8, 65.6, 70.4)),
    Experiment("baseline_sfnet_lite", "Table 4.2", Result(64.8, 71.6, 47.8, 63.0, 68.5)),
    Experiment("baseline_segformer_b0", "Table 4.2", Result(64.4, 71.3, 47.0, 61.9, 68.8)),
    Experiment("baseline_hrnetv2_w48", "Table 4.3", Result(73.5, 74.7, 65.3, 77.7, 76.3)),
)


def find_experiment(name: str) -> Experiment:
    """Find an experiment by its name or by its letter in Table 4.6, in upper or lower case.

    :raises UserError: for an unknown name, with the nearest ones, those of own studies included.
    """
    for experiment in EXPERIMENTS:
        if name.lower() == experiment.name or name.upper() == experiment.letter:
            return experiment
    known = [*(experiment.name for experiment in EXPERIMENTS), *STUDIES]
    advice = did_you_mean(name, known, 3) or f"; there are {', '.join(known)}"
    raise UserError(f"unknown experiment {name!r}{advice} (or a letter, A to J)")


@cache
def _per_class_rows() -> dict[tuple[str, str], dict[str, float]]:
    """Read Tables 4.7 and 4.8 by table and row."""
    rows = {}
    with Path(__file__).with_name("thesis_per_class.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            values = {name: float(row[name]) for name in (*CLASS_NAMES, "mean")}
            rows[row["table"], row["experiment"]] = values
    return rows
