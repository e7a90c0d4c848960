import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distill.scenes.camera import PinholeCamera

ANGLE = st.floats(-0.5, 0.5)


@given(
    yaw=ANGLE, pitch=ANGLE, roll=ANGLE, u=st.integers(0, 63), v=st.integers(0, 47), depth=st.floats(1, 200)
)
def test_a_point_on_a_pixels_ray_projects_onto_that_pixel(
    yaw: float, pitch: float, roll: float, u: int, v: int, depth: float
) -> None:
    camera = PinholeCamera(48, 64, 50.0, (3.0, 1.5, -7.0), yaw, pitch, roll)
    point = np.array(camera.position) + depth * camera.rays[v, u].astype(np.float64)

    seen = camera.to_camera([point])

    np.testing.assert_allclose(seen[0, 2], depth, rtol=1e-5)
    np.testing.assert_allclose(camera.project(seen)[0], (u, v), atol=1e-3)


def test_axes_of_a_level_camera() -> None:
    camera = PinholeCamera(48, 64, 50.0, (0.0, 1.5, 0.0))

    right, up, far = camera.to_camera([[1, 1.5, 10], [0, 2.5, 10], [0, 1.5, 20]])

    np.testing.assert_allclose(right, (1, 0, 10))
    np.testing.assert_allclose(up, (0, -1, 10))  # image rows grow downwards
    np.testing.assert_allclose(far, (0, 0, 20))


def test_signs_of_the_angles() -> None:
    def pixel(point: tuple[float, float, float], **angles: float) -> np.ndarray:
        camera = PinholeCamera(48, 64, 50.0, (0.0, 0.0, 0.0), **angles)
        return camera.project(camera.to_camera([point]))[0] - camera.centre

    assert pixel((0, 0, 10), yaw=0.1)[0] < 0  # looking right, what is ahead moves left
    assert pixel((0, 0, 10), pitch=0.1)[1] > 0  # looking up, it moves down
    assert pixel((1, 0, 10), roll=0.1)[1] < 0  # leaning clockwise, the right rises


def test_range_is_the_length_of_the_ray() -> None:
    camera = PinholeCamera(48, 64, 50.0, (0.0, 1.5, 0.0), yaw=0.3, pitch=-0.1, roll=0.05)
    cx, cy = camera.centre

    expected = np.sqrt(1 + ((10 - cx) / 50) ** 2 + ((40 - cy) / 50) ** 2)

    np.testing.assert_allclose(camera.range_per_depth[40, 10], expected, rtol=1e-5)
