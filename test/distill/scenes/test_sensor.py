import numpy as np
import pytest

from distill.scenes.sensor import Sensor
from distill.scenes.texture import encode, linear


def test_bytes_survive_the_way_to_linear_radiance_and_back() -> None:
    grey = np.arange(256)

    radiance = np.stack([linear((g, g, g)) for g in grey.tolist()])

    np.testing.assert_array_equal(encode(radiance)[:, 0], grey)
    # IEC 61966-2-1 at mid grey
    assert radiance[128, 0] == pytest.approx(((128 / 255 + 0.055) / 1.055) ** 2.4, rel=1e-6)


def test_noise_has_the_variance_of_the_poisson_gaussian_model() -> None:
    sensor = Sensor(
        exposure=1.0, automatic=False, blur=0.0, shot=0.002, read=1e-4, vignette=0.0, balance=(1, 1, 1)
    )
    flat = np.full((400, 400, 3), 0.2, np.float32)

    picture = sensor.expose(flat, np.random.default_rng(0))

    signal = ((picture / 255 + 0.055) / 1.055) ** 2.4
    assert signal.mean() == pytest.approx(0.2, rel=0.01)
    assert signal.var() == pytest.approx(0.002 * 0.2 + 1e-4, rel=0.05)


def exposed(radiance: np.ndarray, smoothing: float) -> np.ndarray:
    """The picture of a camera by night with this noise removal."""
    sensor = Sensor(
        exposure=1.0,
        automatic=False,
        blur=0.0,
        shot=0.001,
        read=4e-5,
        vignette=0.0,
        balance=(1, 1, 1),
        smoothing=smoothing,
    )
    return sensor.expose(radiance, np.random.default_rng(0)).astype(float)


def test_noise_removal_keeps_the_edge_and_takes_noise_away() -> None:
    edge = np.full((60, 80, 3), 0.02, np.float32)
    edge[:, 40:] = 0.5

    noisy, smooth = exposed(edge, 0), exposed(edge, 1)

    for side in (np.s_[5:-5, 5:35], np.s_[5:-5, 45:-5]):
        assert smooth[side].std() < 0.7 * noisy[side].std()
        assert smooth[side].mean() == pytest.approx(noisy[side].mean(), abs=1)
    steps = [picture[:, 41:44].mean() - picture[:, 36:39].mean() for picture in (noisy, smooth)]
    assert steps[1] > 0.95 * steps[0]


def test_only_a_camera_at_night_removes_noise() -> None:
    by_day = [Sensor.draw(np.random.default_rng(seed), night=False).smoothing for seed in range(40)]
    by_night = [Sensor.draw(np.random.default_rng(seed), night=True).smoothing for seed in range(40)]

    assert set(by_day) == {0.0}
    assert min(by_night) == 0
    assert 0.8 < max(by_night) <= 1
