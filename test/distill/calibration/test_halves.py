from __future__ import annotations

from collections import Counter
from pathlib import Path

from distill.calibration.halves import split
from distill.datasets.frame import Frame


def frames(condition: str, **folders: int) -> list[Frame]:
    """So many frames in each folder of a condition."""
    return [
        Frame(Path(condition, folder, f"{number}.png"), None, condition)
        for folder, count in folders.items()
        for number in range(count)
    ]


def test_a_drive_lies_in_one_half_and_the_halves_are_even() -> None:
    every = frames("fog", a=5, b=5, c=5, d=5) + frames("night", a=2, b=8, c=6)
    first, second = split(every)
    assert sorted(map(str, (f.image for f in first + second))) == sorted(str(f.image) for f in every)
    assert not {f.image.parent for f in first} & {f.image.parent for f in second}
    assert Counter(f.condition for f in first) == {"fog": 10, "night": 8}
    assert Counter(f.condition for f in second) == {"fog": 10, "night": 8}
    assert first == [f for f in every if f in first]  # in the order given
    assert split(every) == (first, second)


def test_a_single_folder_is_divided_image_by_image() -> None:
    every = frames("normal", images=5)
    assert split(every) == (every[::2], every[1::2])


def test_folders_of_the_same_name_in_other_conditions_are_other_drives() -> None:
    first, second = split(frames("fog", a=1, b=1) + frames("night", a=1, b=1))
    for half in (first, second):
        assert Counter(f.condition for f in half) == {"fog": 1, "night": 1}


def test_conditions_of_one_image_go_to_either_half() -> None:
    first, second = split([*frames("fog", a=1), *frames("night", a=1), *frames("rain", a=1)])
    assert [f.condition for f in first] == ["fog", "rain"]
    assert [f.condition for f in second] == ["night"]


def test_a_single_image_is_all_there_is() -> None:
    every = frames("fog", a=1)
    assert split(every) == (every, [])
