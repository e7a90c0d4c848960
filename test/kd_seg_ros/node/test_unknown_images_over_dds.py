"""A drive by day that turns to night: the node of a model calibrated by day says so, and takes it back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from dds import Client, rgb_message, running_node

from distill.benchmarks.one_convolution import Kind, write_model
from distill.calibration.domain_fit import fit_distance
from distill.export.domain_file import StatisticsOfMaps, write_distance
from distill.scenes.drive import Drive
from distill.scenes.render import render_scene

SIZE = (48, 80)
DRIVE = Drive(seed=3, size=SIZE, frames=4, conditions=("clear", "night"))


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("lost")
    yield client
    client.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file whose distance was fitted to streets by day."""
    folder = tmp_path_factory.mktemp("model")
    plain = write_model(folder / "plain.onnx", Kind(size=SIZE))
    statistics = StatisticsOfMaps(plain)
    streets = [
        DRIVE.render(0).rgb,
        DRIVE.render(1).rgb,
        *[render_scene(n, SIZE, "clear").rgb for n in (1, 2)],
    ]
    days = []
    for street, gain in itertools.product(streets, (0.85, 0.95, 1.05, 1.15)):
        brighter = np.clip(gain * street, 0, 255).astype(np.uint8)
        days += [brighter, np.ascontiguousarray(brighter[:, ::-1])]
    found = fit_distance(np.stack([statistics.measure(day) for day in days]), [""] * len(days))
    write_distance(
        plain, folder / "by_day.onnx", statistics.maps, found.reference, found.of_card("streets by day")
    )
    return folder / "by_day.onnx"


def test_a_drive_that_turns_to_night_is_a_warning_until_it_is_day_again(model: Path, client: Client) -> None:
    day, night = DRIVE.render(0).rgb, DRIVE.render(3).rgb
    settings = ["-p", f"model:={model}", "-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.2"]
    with running_node("lost", *settings, "-p", "domain_window:=0.5", "-p", "active:=always"):
        camera, states = client.publisher("image"), client.diagnostics()

        def after(image: np.ndarray, unlike: bool) -> bool:
            """Publish an image, and look whether the newest report judges it so."""
            camera.publish(rgb_message(image))
            if not states or "domain_distance" not in states[-1]:
                return False
            return ("unlike those of calibration" in states[-1]["message"]) == unlike

        assert client.spin_until(lambda: after(day, False))
        near = float(states[-1]["domain_distance"].partition(",")[0])
        assert client.spin_until(lambda: after(night, True))
        assert states[-1]["level"] == "1"
        assert states[-1]["domain_distance"].endswith("above the 99.9th percentile")
        limit = float(states[-1]["domain_distance_limit"])
        assert near < limit < float(states[-1]["domain_distance_typical"])
        assert client.spin_until(lambda: after(day, False))
