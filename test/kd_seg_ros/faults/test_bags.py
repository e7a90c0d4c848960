"""Every reader alike: what a bag holds is found, or refused in one line, and nothing next to it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_seg_ros.bags import compression
from kd_seg_ros.bags.reading import messages, open_bag
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.faults.bags import CAMERA, CASES, FRAMES, PERIOD, REFUSED, START, faulty_bag


@pytest.fixture(autouse=True)
def _small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what is too large quick to make."""
    monkeypatch.setattr(compression, "LIMIT_BYTES", 2**22)


RANDOM = [name for name in CASES if name.endswith(("cut", "zeros", "length", "bits"))]
SEEDS = 12


def images(path: Path) -> int:
    """Read a bag whole; return the number of its images, REFUSED after an error in one line."""
    try:
        with open_bag(path) as reader:
            return sum(c.topic == CAMERA for c, _, _ in messages(reader, reader.connections))
    except UserError as error:
        problem = str(error)
    assert problem.startswith(f"{path}: ")
    assert "\n" not in problem
    return REFUSED


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


@pytest.mark.parametrize("case", CASES)
def test_a_reader_finds_what_there_is_and_changes_nothing(case: str, tmp_path: Path) -> None:
    bag = faulty_bag(case, tmp_path, 1)
    folder = bag.path if bag.path.is_dir() else bag.path.parent
    before = state(folder)
    found = images(bag.path)
    if bag.images is not None:
        assert found == bag.images
    assert state(folder) == before


@pytest.mark.parametrize("case", RANDOM)
def test_damage_at_any_place_is_no_crash(case: str, tmp_path: Path) -> None:
    for seed in range(SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        bag = faulty_bag(case, folder, seed)
        found = images(bag.path)
        assert found in ((bag.images,) if bag.images is not None else range(REFUSED, FRAMES + 1))


def test_the_same_seed_makes_the_same_bag(tmp_path: Path) -> None:
    made: list[bytes] = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.append((faulty_bag("mcap with zeros", tmp_path / name, 3).path / "bag.mcap").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize("case", [name for name in CASES if name.startswith("mcap without")])
def test_a_part_of_the_time_is_read_without_an_index(case: str, tmp_path: Path) -> None:
    bag = faulty_bag(case, tmp_path, 1)
    with open_bag(bag.path) as reader:
        assert (reader.start_time, reader.duration) == (START, (FRAMES - 1) * PERIOD + 1)
        camera = [c for c in reader.connections if c.topic == CAMERA]
        times = [t for _, t, _ in messages(reader, camera, START + 2 * PERIOD, START + 5 * PERIOD)]
    assert times == [START + number * PERIOD for number in (2, 3, 4)]
