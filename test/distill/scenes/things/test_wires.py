"""Wires: seen against the sky, without label and depth, hidden by what is nearer, veiled by fog."""

from __future__ import annotations

import numpy as np
import pytest

from distill.scenes.camera import PinholeCamera
from distill.scenes.canvas import Canvas
from distill.scenes.geometry import Doubles
from distill.scenes.labels import BUILDING, SKY
from distill.scenes.layout import Place, Street
from distill.scenes.street import build
from distill.scenes.things.wires import _parabola, paint_contact_wire, paint_span_wire
from distill.scenes.weather.fog import extinction, hang_wires

CAMERA = PinholeCamera(60, 90, 70.0, (0.0, 1.5, 0.0))
LEFT, RIGHT = (-20.0, 5.0, 15.0), (20.0, 5.0, 15.0)


def wall(depth: float) -> Doubles:
    return np.array([[-30, 0, depth], [-30, 30, depth], [30, 30, depth], [30, 0, depth]], np.float64)


def test_a_wire_has_neither_label_nor_depth() -> None:
    canvas = Canvas(CAMERA)
    canvas.wire(LEFT, RIGHT, 0.1)
    row = round(CAMERA.centre[1] - 70 * 3.5 / 15)
    assert canvas.wires[row - 1 : row + 2, 45, 0].max() > 0.2
    assert 1 / canvas.wires[row, 45, 1] == pytest.approx(15, rel=0.01)
    assert (canvas.labels == SKY).all()
    assert np.isinf(canvas.depth).all()


@pytest.mark.parametrize(
    ("depth", "wire_first", "hidden"), [(8.0, True, True), (8.0, False, True), (40.0, False, False)]
)
def test_nearer_things_hide_it_whatever_is_drawn_first(depth: float, wire_first: bool, hidden: bool) -> None:
    canvas = Canvas(CAMERA)
    if wire_first:
        canvas.wire(LEFT, RIGHT, 0.1)
    canvas.polygon(wall(depth), (200, 200, 200), BUILDING)
    if not wire_first:
        canvas.wire(LEFT, RIGHT, 0.1)
    assert (canvas.wires[..., 0].max() == 0) == hidden


def test_fog_hides_a_wire_by_its_own_distance() -> None:
    """Not by that of the sky behind it, which is infinite."""
    sky = np.full((60, 90, 3), 0.6, np.float32)
    contrast = []
    for depth in (10.0, 40.0):
        canvas = Canvas(CAMERA)
        canvas.wire((-20, 4, depth), (20, 4, depth), 2.0)
        seen = hang_wires(sky, canvas, extinction(100))
        contrast.append(float((0.6 - seen).max() / 0.58))
    assert contrast[0] == pytest.approx(0.02**0.1, abs=0.05)
    assert contrast[1] == pytest.approx(0.02**0.4, abs=0.05)


def test_clear_air_shows_it_dark() -> None:
    canvas = Canvas(CAMERA)
    canvas.wire(LEFT, RIGHT, 1.0)
    assert hang_wires(np.ones((60, 90, 3), np.float32), canvas, 0.0).min() == pytest.approx(0.02)


def test_a_span_wire_sags() -> None:
    points = _parabola(10.0, 5.5, 1.2, 0.0)
    assert points[:, 1].min() == pytest.approx(5.5)
    assert points[[0, -1], 1] == pytest.approx(6.7)
    canvas = Canvas(CAMERA)
    paint_span_wire(canvas, Place(0, 0, 15), 0.0, half=10, height=5.5, rise=1.2, slant=0, width=0.2)
    rows = [int(np.argmax(canvas.wires[:, column, 0])) for column in (25, 45)]
    assert rows[0] < rows[1]  # rows count downwards


def test_a_contact_wire_runs_towards_the_horizon() -> None:
    street = build(3, 60.0)
    canvas = Canvas(PinholeCamera(60, 90, 70.0, (float(street.bend(0.0)), 1.5, 0.0)))
    paint_contact_wire(canvas, Place(0, 0, 8.0), 0.0, street=street, offset=0.0, height=5.5, width=0.3)
    rows = np.flatnonzero(canvas.wires[..., 0].max(1) > 0.3)
    assert len(rows) > 5
    assert rows.max() < CAMERA.centre[1]


def has_wires(street: Street) -> bool:
    painters = [getattr(thing.paint, "func", None) for thing in street.things]
    return paint_span_wire in painters


def test_streets_with_trams_mostly_have_wires() -> None:
    streets = [build(seed, 20.0) for seed in range(60)]
    with_trams = [has_wires(street) for street in streets if street.tram]
    others = [has_wires(street) for street in streets if not street.tram]
    assert sum(with_trams) > 0.8 * len(with_trams)
    assert 0.2 < sum(others) / len(others) < 0.6
