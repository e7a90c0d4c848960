"""Two halves of the labelled images: one to calibrate on, one to report on.

Consecutive frames of a drive look alike: a frame next to one that was calibrated on is not held out. So each
drive (the images of a condition in one folder) goes to one half as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from distill.datasets.frame import Frame


def split(frames: Sequence[Frame]) -> tuple[list[Frame], list[Frame]]:
    """Divide frames into those to calibrate on and those to report on, each in the order given.

    Within each condition the folders go one after the other, the largest first, to the half that has fewer
    of its images; where both have as many, to that with fewer images in all, and then to the first. A
    condition that lies in one folder is divided image by image. Deterministic; with a single frame the
    second half is empty.
    """
    halves: tuple[list[int], list[int]] = ([], [])
    conditions: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        conditions.setdefault(frame.condition, []).append(index)
    for members in conditions.values():
        counts = [0, 0]
        for group in _groups(frames, members):
            # Compared in this order: images of the condition, images in all.
            first, second = (counts[0], len(halves[0])), (counts[1], len(halves[1]))
            half = 0 if first <= second else 1
            halves[half].extend(group)
            counts[half] += len(group)
    fitted = [frames[index] for index in sorted(halves[0])]
    reported = [frames[index] for index in sorted(halves[1])]
    return fitted, reported


def _groups(frames: Sequence[Frame], members: Sequence[int]) -> list[list[int]]:
    """Group the frames of a condition by folder, or one by one where all lie in the same."""
    folders: dict[str, list[int]] = {}
    for index in members:
        folders.setdefault(str(frames[index].image.parent), []).append(index)
    if len(folders) == 1:
        return [[index] for index in members]
    return sorted(folders.values(), key=len, reverse=True)
