"""What values read from JSON may be: the tests that the model card's fields must pass."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Final

RELIABILITY: Final = ("confidence", "accuracy", "share")
"""Columns of a reliability table: for each bin of confidence the mean confidence, the share of correct pixels
and the share of all pixels that are in the bin."""


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_byte(value: Any) -> bool:
    """Return whether a value is a whole number, 0…255."""
    return is_whole(value) and 0 <= value <= 255


def is_range(value: Any) -> bool:
    """Return whether a value is a pair of numbers in order, 0…1."""
    return (
        isinstance(value, list)
        and list(map(is_number, value)) == [True] * 2
        and 0 <= value[0] <= value[1] <= 1
    )


def is_share(value: Any) -> bool:
    """Return whether a value is a number, 0…1."""
    return is_number(value) and 0 <= value <= 1


def is_offset(value: Any) -> bool:
    """Return whether a value can be the mean of colours: a number, −1…1."""
    return is_number(value) and -1 <= value <= 1


def is_spread(value: Any) -> bool:
    """Return whether a value can be the standard deviation of colours: above 0, at most 1."""
    return is_number(value) and 0 < value <= 1


def is_text(value: Any) -> bool:
    """Return whether a value is text that can be written; JSON can hold halves of characters."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_name(value: Any) -> bool:
    """Return whether a value is text of one line that is not empty."""
    return isinstance(value, str) and value.isprintable() and value.strip() != ""


def is_triple(value: Any, is_item: Callable[[Any], bool]) -> bool:
    """Return whether a value is three items, each of which passes a test."""
    return isinstance(value, tuple) and len(value) == 3 and all(map(is_item, value))


def is_calibration(value: Any, classes: int) -> bool:
    """Return whether a value names a calibration method with its parameters, or is empty.

    A parameter is a number, or one for each class; temperatures are above 0.
    """
    if value == {}:
        return True
    if not isinstance(value, dict) or not isinstance(value.get("method"), str):
        return False
    parameters = value.get("parameters")
    if not isinstance(parameters, dict):
        return False
    for name, found in parameters.items():
        numbers = found if isinstance(found, list) else [found]
        if not all(map(is_number, numbers)) or (isinstance(found, list) and len(found) != classes):
            return False
        if name.startswith("temperature") and min(numbers) <= 0:
            return False
    return True


def is_table(value: Any) -> bool:
    """Return whether a value is a reliability table: columns of equal lengths, 0…1 or None."""
    if not isinstance(value, dict) or not all(isinstance(value.get(key), list) for key in RELIABILITY):
        return False
    columns = [value[key] for key in RELIABILITY]
    if len({len(column) for column in columns}) != 1:
        return False
    cells = itertools.chain.from_iterable(columns)
    return all(cell is None or is_share(cell) for cell in cells)


QUANTILES: Final = ("50", "95", "99", "99.9")
"""Percent of calibration's images whose domain distance is at most that of the card."""


def is_domain(value: Any) -> bool:
    """Return whether a value says what the domain distance was in calibration, or is empty.

    That is: :data:`QUANTILES` that do not fall, the number of images, method and source in words.
    """
    if value == {}:
        return True
    if not isinstance(value, dict) or not isinstance(value.get("quantiles"), dict):
        return False
    quantiles = value["quantiles"]
    found: list[float] = [quantiles[key] for key in QUANTILES if is_number(quantiles.get(key))]
    if len(found) != len(QUANTILES) or found != sorted(found) or found[0] < 0 or found[-1] == 0:
        return False
    images: Any = value.get("images")
    return is_whole(images) and images > 0 and is_text(value.get("method")) and is_text(value.get("source"))


def is_accuracy_correction(value: Any) -> bool:
    """Return whether a value says how expected accuracy is corrected by the domain distance, or is empty.

    That is: ``distances`` that rise, with ``factors`` that do not; the largest distance, the range of the
    estimates in calibration, mean errors 0…1, the number of images and the source in words.
    """
    if value == {}:
        return True
    if not isinstance(value, dict):
        return False
    distances, factors = value.get("distances"), value.get("factors")
    if not (_are_numbers(distances) and _are_numbers(factors) and len(distances) == len(factors)):
        return False
    rising = sorted(set(distances)) == distances and distances[0] > 0
    falling = sorted(factors, reverse=True) == factors and factors[-1] >= 0
    limit, images = value.get("largest_distance"), value.get("images")
    errors = is_share(value.get("error")) and is_share(value.get("error_raw"))
    described = is_range(value.get("range")) and is_whole(images) and is_text(value.get("source"))
    return rising and falling and is_number(limit) and limit > 0 and errors and described


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_number, value))
