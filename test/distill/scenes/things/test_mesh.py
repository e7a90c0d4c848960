import numpy as np
import pytest

from distill.scenes.camera import PinholeCamera
from distill.scenes.canvas import SKY, Canvas
from distill.scenes.layout import Place
from distill.scenes.things.cars import Car, car_mesh
from distill.scenes.things.mesh import Mesh, draw_mesh

CAMERA = PinholeCamera(90, 160, 120.0, (0.5, 1.5, 0.0), yaw=0.05, pitch=-0.03, roll=0.02)


def slab(origin: np.ndarray, ray: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Where a ray enters an upright box, or infinity."""
    with np.errstate(divide="ignore"):
        near, far = (low - origin) / ray, (high - origin) / ray
    enter, leave = np.minimum(near, far).max(), np.maximum(near, far).min()
    return float(enter) if enter < leave else float("inf")


@pytest.mark.parametrize("heading", [0.0, 0.7, np.pi / 2, 3.0])
def test_depth_of_a_box_is_where_the_rays_enter_it(heading: float) -> None:
    mesh = Mesh((0.0, 1.0, 0.0))
    mesh.box(1.0, (-2.0, 2.0, 0.3, 1.9), (200, 30, 30))
    place, canvas = Place(-1.0, 0.0, 12.0, heading), Canvas(CAMERA)

    draw_mesh(canvas, place, mesh, 13)

    sin, cos = np.sin(heading), np.cos(heading)
    to_local = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    origin = to_local @ (np.array(CAMERA.position) - (place.x, place.y, place.z))
    low, high = np.array([-1.0, 0.3, -2.0]), np.array([1.0, 1.9, 2.0])
    expected = np.empty((90, 160))
    for v, u in np.ndindex(expected.shape):
        expected[v, u] = slab(origin, to_local @ CAMERA.rays[v, u], low, high)
    drawn, there = canvas.labels == 13, np.isfinite(expected)
    assert there.sum() > 300
    assert (drawn != there).sum() < 0.06 * there.sum()  # the outline, to half a pixel
    both = drawn & there
    off = np.abs(canvas.depth[both] / expected[both] - 1)
    assert np.quantile(off, 0.9) < 1e-3  # at inner edges a pixel may show the neighbouring face
    assert (canvas.labels[~drawn] == SKY).all()


def test_a_car_stands_on_the_road_in_its_size() -> None:
    for kind, tallest in (("hatch", 1.6), ("van", 2.1)):
        mesh = car_mesh(Car(3, kind, lit=False))  # type: ignore[arg-type]
        points = mesh.parts.points

        assert -0.01 <= points[:, 1].min() < 0.05
        assert 1.3 < points[:, 1].max() < tallest
        assert 3.5 < np.ptp(points[:, 2]) < 5.5
        assert 1.6 < np.ptp(points[:, 0]) < 2.5
