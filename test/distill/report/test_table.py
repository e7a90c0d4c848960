"""How values and differences are written and shaded."""

from __future__ import annotations

import pytest

from distill.report.table import against_thesis, compared, compared_ece, percent, shade, signed, three_digits


def test_numbers() -> None:
    assert (percent(0.7116), percent(None)) == ("71.2", "–")
    assert (three_digits(0.0634), three_digits(None)) == ("0.063", "–")
    assert [signed(value) for value in (2.66, -0.31, 0.04, -0.04)] == ["+2.7", "−0.3", "±0.0", "±0.0"]
    assert signed(-0.0124, 3) == "−0.012"


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (0.04, ""),
        (0.05, "better1"),
        (-0.9, "worse1"),
        (1, "better2"),
        (-2.9, "worse2"),
        (3, "better3"),
        (-9, "worse3"),
    ],
)
def test_shades(points: float, expected: str) -> None:
    assert shade(points) == expected


def test_more_is_better_for_shares_and_less_for_calibration_errors() -> None:
    iou, ece = compared(0.70, 0.68), compared_ece(0.05, 0.07)
    assert (iou.text, iou.beneath, iou.shade) == ("70.0", "+2.0", "better2")
    assert (ece.text, ece.beneath, ece.shade) == ("0.050", "−0.020", "better2")
    assert (compared(0.7, None).beneath, compared_ece(None, 0.1).text) == ("", "–")
    ours = against_thesis(0.70, 71.2)
    assert (ours.text, ours.shade) == ("−1.2", "worse2")
    assert against_thesis(None, 71.2).text == "–"
