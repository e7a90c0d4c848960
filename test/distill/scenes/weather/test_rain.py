import numpy as np
import pytest

from distill.scenes.camera import PinholeCamera
from distill.scenes.weather.rain import fall_speed, fresnel, mirror_rows, strokes


def test_reflectance_follows_fresnels_equations_for_water() -> None:
    index = 1.33
    for angle in np.radians([0, 30, 60, 75, 85]):
        cos_in, cos_out = np.cos(angle), np.sqrt(1 - (np.sin(angle) / index) ** 2)
        across = ((cos_in - index * cos_out) / (cos_in + index * cos_out)) ** 2
        along = ((index * cos_in - cos_out) / (index * cos_in + cos_out)) ** 2

        assert fresnel(np.float32(cos_in)) == pytest.approx((across + along) / 2, abs=0.06)


def test_drops_fall_as_fast_as_measured() -> None:
    # Gunn and Kinzer (1949): millimetres and metres per second.
    for diameter, speed in ((1, 4.03), (2, 6.49), (3, 8.06), (4, 8.83), (5, 9.09)):
        assert fall_speed(np.float64(diameter / 1000)) == pytest.approx(speed, rel=0.05)


def test_the_ground_mirrors_what_stands_on_it_about_its_foot() -> None:
    camera = PinholeCamera(201, 101, 150.0, (0.0, 1.5, 0.0))
    depth, height = 12.0, 1.0
    foot, point, image = camera.project(
        camera.to_camera([[0, 0, depth], [0, height, depth], [0, -height, depth]])
    )[:, 1]
    ground = np.zeros((201, 101), bool)
    ground[round(foot) :] = True

    rows = mirror_rows(ground)

    assert abs(rows[round(image), 50] - point) <= 1.5
    assert rows[round(foot), 50] == round(foot) - 1


def test_nothing_is_mirrored_from_outside_the_picture() -> None:
    rows = mirror_rows(np.ones((20, 5), bool))

    assert rows.min() >= 0
    assert rows.max() < 20


def test_strokes_are_drawn_where_they_go() -> None:
    start, stop = np.array([[5.0, 10.0]]), np.array([[5.0, 20.0]])

    veil = strokes((30, 30), start, stop, np.array([1.0]), np.array([100.0]))

    assert veil[15, 5] > 0.3
    assert veil[15, 10] == 0
    assert veil.max() <= 1
