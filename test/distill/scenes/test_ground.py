import numpy as np
import pytest

from distill.scenes.camera import PinholeCamera
from distill.scenes.canvas import Canvas
from distill.scenes.ground import draw_ground
from distill.scenes.layout import Lot, Side, Street

ROAD, SIDEWALK, TERRAIN, SKY = 0, 1, 9, 10
KERB = 0.12


def plain_street(**changes: object) -> Street:
    """Two lanes of 3 m, 2 m of sidewalk, then grass."""

    def side(sign: int) -> Side:
        return Side(sign, 0.0, 2.0, (Lot(-30, 300, "park", "grass"),))

    settings: dict = {
        "seed": 1, "length": 200.0, "lanes": 1, "lane_width": 3.0, "parking": (False, False), "tram": False,
        "kerb": KERB, "bends": (), "sides": (side(-1), side(1)), "crossings": (),
    }  # fmt: skip
    return Street(**(settings | changes))


def draw(camera: PinholeCamera, street: Street) -> Canvas:
    canvas = Canvas(camera)
    draw_ground(canvas, street)
    return canvas


def test_depth_of_the_road_of_a_level_camera_is_height_times_focal_over_rows_below_the_horizon() -> None:
    camera = PinholeCamera(121, 161, 130.0, (0.0, 1.5, 0.0))

    canvas = draw(camera, plain_street())

    for row in (64, 80, 100, 120):
        np.testing.assert_allclose(canvas.depth[row, 80], 1.5 * 130 / (row - 60), rtol=1e-4)
        assert canvas.labels[row, 80] == ROAD
    assert (canvas.labels[:60] == SKY).all()
    assert np.isinf(canvas.depth[:60]).all()


def test_the_sidewalk_is_higher_by_the_kerb() -> None:
    camera = PinholeCamera(121, 161, 130.0, (0.0, 1.5, 0.0))

    canvas = draw(camera, plain_street())

    # The ray to 4 m right of the middle at 10 m and kerb height.
    u, v = round(80 + 130 * 4 / 10), round(60 + 130 * (1.5 - KERB) / 10)
    assert canvas.labels[v, u] == SIDEWALK
    np.testing.assert_allclose(canvas.depth[v, u], (1.5 - KERB) * 130 / (v - 60), rtol=1e-4)


def test_the_face_of_the_kerb_lies_at_the_edge_of_the_road() -> None:
    camera = PinholeCamera(1201, 1601, 1300.0, (0.0, 1.5, 0.0))

    canvas = draw(camera, plain_street())

    # Through a point half way up the kerb, 3 m right of the middle and 8 m ahead.
    u, v = round(800 + 1300 * 3 / 8), round(600 + 1300 * (1.5 - KERB / 2) / 8)
    assert canvas.labels[v, u] == SIDEWALK
    np.testing.assert_allclose(canvas.depth[v, u], 8, rtol=2e-3)


@pytest.mark.parametrize("pose", [{"pitch": -0.05}, {"yaw": 0.1}, {"roll": 0.04}])
def test_points_of_a_turned_camera_lie_on_the_ground(pose: dict[str, float]) -> None:
    camera = PinholeCamera(90, 160, 120.0, (0.5, 1.4, 10.0), **pose)
    street = plain_street(bends=((2.0, 250.0, 0.4),))

    canvas = draw(camera, street)

    ground = canvas.labels != SKY
    points = camera.position + canvas.depth[ground][:, None] * camera.rays[ground].astype(np.float64)
    assert points[:, 1].min() > -0.02
    assert points[:, 1].max() < KERB + 0.02
    near = points[points[:, 2] < 60]
    labels = canvas.labels[ground][points[:, 2] < 60]
    offset = np.abs(near[:, 0] - street.bend(near[:, 2]))
    assert (labels[offset < 2.9] == ROAD).all()
    assert (labels[(offset > 3.1) & (offset < 4.9)] == SIDEWALK).all()
    assert (labels[offset > 5.1] == TERRAIN).all()
    np.testing.assert_allclose(near[offset < 2.9, 1], 0, atol=0.01)


def test_a_cross_street_interrupts_the_sidewalk() -> None:
    camera = PinholeCamera(121, 161, 130.0, (0.0, 1.5, 0.0))

    canvas = draw(camera, plain_street(crossings=((9.0, 16.0),)))

    assert canvas.labels[round(60 + 130 * 1.5 / 12), round(80 + 130 * 5 / 12)] == ROAD
    assert canvas.labels[round(60 + 130 * (1.5 - KERB) / 22), round(80 + 130 * 4 / 22)] == SIDEWALK
