import math

import numpy as np
import pytest

from distill.scenes.camera import PinholeCamera
from distill.scenes.render import draw_scene
from distill.scenes.street import build
from distill.scenes.weather.fog import Fog, extinction, koschmieder, ray_length
from distill.scenes.weather.light import Daylight


def test_at_the_visibility_a_black_object_keeps_two_percent_contrast() -> None:
    air = np.array([0.5, 0.6, 0.7], np.float32)

    seen = koschmieder(np.zeros((1, 1, 3), np.float32), np.array([[200.0]], np.float32), extinction(200), air)

    np.testing.assert_allclose((air - seen[0, 0]) / air, 0.02, rtol=1e-3)
    assert extinction(200) == pytest.approx(3.912 / 200, rel=1e-4)


def test_the_sky_is_airlight_and_what_is_near_is_clear() -> None:
    clear = np.full((1, 2, 3), 0.3, np.float32)

    seen = koschmieder(clear, np.array([[np.inf, 0]], np.float32), 0.02, np.array([0.5, 0.6, 0.7]))

    np.testing.assert_allclose(seen[0, 0], [0.5, 0.6, 0.7], rtol=1e-6)
    np.testing.assert_allclose(seen[0, 1], 0.3, rtol=1e-6)


def test_a_foggy_scene_follows_the_law_at_every_depth() -> None:
    camera = PinholeCamera(60, 100, 80.0, (1.5, 1.5, 0.0), pitch=-0.02)
    street = build(3, 150.0)
    sky = Daylight.draw(np.random.default_rng(0), 0.5)
    fog = Fog(sky, visibility=120.0, airlight=(0.4, 0.42, 0.45))
    canvas = draw_scene(street, camera, 0.0)
    canvas.layers[..., 3] = 0  # lamps off: no glare
    canvas.wires[:] = 0  # whose depth is not told

    clear, seen = sky.radiance(canvas), fog.radiance(canvas)

    cx, cy = camera.centre
    for v, u in np.argwhere(np.isfinite(canvas.depth))[::41]:
        path = float(canvas.depth[v, u]) * math.sqrt(1 + ((u - cx) / 80) ** 2 + ((v - cy) / 80) ** 2)
        share = math.exp(-3.912023 * path / 120)
        expected = [j * share + a * (1 - share) for j, a in zip(clear[v, u], fog.airlight, strict=True)]
        np.testing.assert_allclose(seen[v, u], expected, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(
        seen[np.isinf(canvas.depth)],
        np.broadcast_to(fog.airlight, seen[np.isinf(canvas.depth)].shape),
        rtol=1e-5,
    )


def test_ray_length_is_the_distance_to_the_point() -> None:
    camera = PinholeCamera(60, 100, 80.0, (1.5, 1.5, 0.0), yaw=0.1, pitch=-0.02, roll=0.03)
    canvas = draw_scene(build(3, 150.0), camera, 0.0)

    point = np.array(camera.position) + canvas.depth[50, 20] * camera.rays[50, 20]

    np.testing.assert_allclose(
        ray_length(canvas)[50, 20], np.linalg.norm(point - np.array(camera.position)), rtol=1e-5
    )
