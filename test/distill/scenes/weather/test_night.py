import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distill.scenes.weather.night import Night, point_lights


@given(height=st.floats(1.5, 20), across=st.floats(0, 20))
def test_a_lamp_lights_level_ground_by_the_inverse_square_and_the_cosine(
    height: float, across: float
) -> None:
    points, up = np.zeros((1, 1, 3), np.float32), np.array([[[0, 1, 0]]], np.float32)
    lamp = np.array([[across, height, 0]], np.float32)

    squared = height**2 + across**2

    np.testing.assert_allclose(point_lights(points, up, lamp)[0, 0], height / squared**1.5, rtol=1e-3)


def test_lamps_add_up_and_do_not_shine_through() -> None:
    points, up = np.zeros((1, 1, 3), np.float32), np.array([[[0, 1, 0]]], np.float32)
    above, below = np.array([[0, 4, 0]], np.float32), np.array([[0, -4, 0]], np.float32)

    one = point_lights(points, up, above)

    np.testing.assert_allclose(
        point_lights(points, up, np.concatenate([above, above, below])), 2 * one, rtol=1e-5
    )


def test_most_skies_are_nearly_black_and_some_glow() -> None:
    skies = [max(Night.draw(np.random.default_rng(seed)).sky) for seed in range(100)]

    assert np.median(skies) < 0.004  # 12 of 255 in sRGB
    assert max(skies) > 0.01
