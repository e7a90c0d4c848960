"""The chart of the class distribution: its scale and the bars' lengths, read off its pixels."""

import math
from pathlib import Path

import numpy as np
import pytest

from distill.data.statistics import Statistics
from distill.report.class_chart import ROW, TOP, draw_chart, lowest_power, percent, write_chart
from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE
from kd_seg_ros.common.errors import UserError


def counted(pixels: list[int], names: tuple[str, ...] = CLASS_NAMES) -> Statistics:
    return Statistics(1, sum(pixels), (0, 0, 0), (1, 1, 1), names, tuple(pixels), 5)


def test_bars_are_as_long_as_the_logarithms_of_their_shares() -> None:
    shares = [0.5, 0.05, 0.4, 0.005, *[0] * 14, 0.045]
    image = np.array(draw_chart(counted([round(1000 * share) for share in shares]), "noise"))
    lengths = []
    for row in range(19):
        line = image[TOP + ROW * row + ROW // 2]
        lengths.append(int((line == PALETTE[row]).all(-1).sum()))
    assert [length > 0 for length in lengths] == [share > 0 for share in shares]
    decade = lengths[0] - lengths[1]  # ½ to 1/20
    assert lengths[0] == pytest.approx(decade * math.log10(0.5 / 0.001), abs=3)  # from 0.1 % on
    for share, length in zip(shares, lengths, strict=True):
        if share:
            assert length == pytest.approx(lengths[0] + decade * math.log10(share / 0.5), abs=2)


@pytest.mark.parametrize(
    ("shares", "power"), [((1.0,), -1), ((0.9, 0.1), -2), ((0.5, 0.0, 0.02), -2), ((0.999, 0.00034), -4)]
)
def test_the_scale_starts_below_the_smallest_share(shares: tuple[float, ...], power: int) -> None:
    assert lowest_power(shares) == power


def test_numbers() -> None:
    numbers = [percent(share) for share in (1.0, 0.351, 0.0123, 0.000_047, 0)]
    assert numbers == ["100 %", "35.1 %", "1.23 %", "0.00470 %", "none"]


def test_other_classes_and_one_class_alone(tmp_path: Path) -> None:
    write_chart(tmp_path / "new" / "chart.png", counted([3, 0, 1], ("here", "there", "a long name")), "x")
    assert draw_chart(counted([7], ("all",)), "x").height < draw_chart(counted([1] * 19), "x").height
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*chart\.png: file exists"):
        write_chart(tmp_path / "file" / "chart.png", counted([7], ("all",)), "x")
