import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from distill.scenes.camera import PinholeCamera
from distill.scenes.canvas import SKY, Canvas
from distill.scenes.geometry import NEAR, clip_near, cover
from distill.scenes.texture import Texture

CAMERA = PinholeCamera(48, 64, 50.0, (1.0, 2.0, 3.0), yaw=0.2, pitch=0.05, roll=0.1)
Spot = tuple[float, float, float]
SPOT = st.tuples(st.floats(-4, 4), st.floats(-3, 3), st.floats(3, 20))


def world(points: np.ndarray) -> np.ndarray:
    """Camera points (right, down, forward) in the world."""
    return points @ CAMERA.rotation + CAMERA.position


@given(a=SPOT, b=SPOT, c=SPOT)
def test_depth_of_a_triangle_is_where_the_rays_meet_its_plane(a: Spot, b: Spot, c: Spot) -> None:
    corners = np.array([a, b, c])
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    assume(abs(normal @ corners[0]) > 0.5)  # not edge-on
    canvas = Canvas(CAMERA)

    canvas.polygon(world(corners), (200, 10, 10), 3)

    cx, cy = CAMERA.centre
    for v, u in np.argwhere(canvas.labels == 3)[::37]:
        ray = np.array([(u - cx) / 50, (v - cy) / 50, 1])
        sides = np.stack([corners[0] - corners[1], corners[0] - corners[2], ray], 1)
        across, along, depth = np.linalg.solve(sides, corners[0])
        if min(across, along, 1 - across - along) > 0:  # the rim may lie a quarter of a pixel outside
            np.testing.assert_allclose(canvas.depth[v, u], depth, rtol=1e-3)


def square(depth: float, half: float) -> np.ndarray:
    return world(
        np.array([[-half, -half, depth], [half, -half, depth], [half, half, depth], [-half, half, depth]])
    )


def test_the_nearer_surface_hides_the_farther_in_either_order() -> None:
    for order in ((0, 1), (1, 0)):
        canvas = Canvas(CAMERA)
        for index in order:
            canvas.polygon(square((10.0, 5.0)[index], (4.0, 1.0)[index]), (255, 255, 255), (4, 5)[index])

        assert canvas.labels[24, 32] == 5
        np.testing.assert_allclose(canvas.depth[24, 32], 5, rtol=1e-5)
        assert canvas.labels[24, 48] == 4


def test_a_half_covered_pixel_is_half_sky() -> None:
    camera = PinholeCamera(48, 64, 50.0, (0.0, 0.0, 0.0))
    canvas = Canvas(camera)
    # Its right edge passes through the centre of column 40, rows far beyond the image.
    edge = (40 - camera.centre[0]) / 50 * 10

    canvas.polygon(
        np.array([(-20, -20, 10), (-20, 20, 10), (edge, 20, 10), (edge, -20, 10)]), (255, 255, 255), 2
    )

    assert 0.4 < canvas.sky_share[24, 40] < 0.6
    np.testing.assert_allclose(canvas.layers[24, 40, 0], 1 - canvas.sky_share[24, 40], atol=0.01)
    assert canvas.sky_share[24, 30] == 0
    assert canvas.labels[24, 45] == SKY


def test_a_picture_is_put_upright_and_its_transparent_half_left_out() -> None:
    camera = PinholeCamera(48, 64, 50.0, (0.0, 0.0, 0.0))
    canvas = Canvas(camera)
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[:20, :, 0] = 255  # red above
    pixels[20:, :, 2] = 255  # blue below
    pixels[:, 20:, 3] = 255  # the left half is transparent

    canvas.picture((-2, 2, 10), (4, 0, 0), (0, -4, 0), lambda: Texture(pixels), 7)

    assert canvas.labels[20, 35] == canvas.labels[28, 35] == 7
    assert canvas.labels[20, 28] == SKY
    assert canvas.layers[20, 35, 0] > 0.9 > 0.1 > canvas.layers[20, 35, 2]
    assert canvas.layers[28, 35, 2] > 0.9 > 0.1 > canvas.layers[28, 35, 0]
    np.testing.assert_allclose(canvas.depth[20, 35], 10, rtol=1e-5)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=6))
def test_clipping_keeps_what_is_beyond_the_near_plane(points: list[Spot]) -> None:
    array = np.array(points)

    clipped = clip_near(array)

    if len(clipped):
        assert (clipped[:, 2] >= NEAR - 1e-6).all()
    for kept in array[array[:, 2] > NEAR]:
        assert np.isclose(clipped, kept).all(axis=1).any()


def test_normals_look_at_the_camera() -> None:
    canvas = Canvas(CAMERA)

    canvas.polygon(square(5.0, 1.0)[::-1], (9, 9, 9), 3)

    np.testing.assert_allclose(canvas.normals[24, 32], -CAMERA.rotation[2], atol=1e-5)


@given(left=st.floats(3, 9), width=st.floats(0.3, 9), top=st.floats(3, 9), height=st.floats(0.3, 9))
def test_coverage_is_the_area_of_the_outline(left: float, width: float, top: float, height: float) -> None:
    right, bottom = left + width, top + height
    outline = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])

    mask = cover([outline], 24, 24)

    # Sides lie on samples, a quarter of a pixel apart.
    assert abs(mask.sum() / 255 - width * height) <= 0.25 * (width + height) + 0.13
    assert mask[round(top + height / 2), round(left + width / 2)] > 0
