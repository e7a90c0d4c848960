"""What the JSON files of a folder of Hugging Face ``transformers`` say of classes and normalisation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distill.teachers.external import Normalisation
from kd_seg_ros.common.errors import UserError, first_line


@dataclass(frozen=True)
class OptionNames:
    """How the user gives what a folder does not say, for errors."""

    folder: str
    class_names: str
    mean: str
    std: str


TEACHER: Final = OptionNames("teacher.huggingface", "teacher.class_names", "teacher.mean", "teacher.std")
COMMAND: Final = OptionNames("--huggingface", "--classes", "--mean", "--std")


def named_classes(
    folder: Path, id2label: Mapping[Any, str], count: int, given: Sequence[str] | None, options: OptionNames
) -> list[str]:
    """Return the names of a network's classes.

    :param id2label: config.json's, by the number of the class.
    :param count: number of the classes.
    :param given: the user's names in their place.
    :raises UserError: if there are none, or another number, or they do not stand at 0…count − 1.
    """
    if given is not None:
        if len(given) != count:
            raise UserError(f"{options.class_names}: {len(given)} names for the {count} classes of {folder}")
        return list(given)
    if set(id2label) != set(range(count)):
        raise UserError(
            f"{folder}: id2label in config.json does not number its {count} classes from 0 to {count - 1}: "
            f"list their names, in the order of the network's channels, with {options.class_names}"
        )
    names = [str(id2label[index]) for index in range(count)]
    if all(re.fullmatch(r"(label|class)?[\s_-]*\d+", name.casefold()) for name in names):
        raise UserError(
            f"{folder}: id2label in config.json holds no names ({names[0]}, …): list them, in order, with "
            f"{options.class_names}"
        )
    return names


def normalisation(
    folder: Path,
    settings: Mapping[str, Any],
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    options: OptionNames,
) -> Normalisation:
    """Return mean and std for RGB in 0…1, from the user's options or else from the folder.

    The folder's are for values of 0…255 times ``rescale_factor``, 1/255 as a rule.

    :param settings: content of preprocessor_config.json.
    """
    flipped = bool(settings.get("do_flip_channel_order"))  # MobileViT: BGR, and not normalised
    if not settings.get("do_normalize", not flipped):
        settings = {**settings, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    scale = 255 * settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 255
    found: dict[str, Sequence[float]] = {}
    for key, given in {"mean": mean, "std": std}.items():
        if given is not None:
            found[key] = given
            continue
        read = settings.get(f"image_{key}")
        if not isinstance(read, list):
            raise UserError(
                f"{folder / 'preprocessor_config.json'} holds no image_{key}: give "
                f"{options.mean if key == 'mean' else options.std}, for RGB in 0…1"
            )
        found[key] = [value / scale for value in read]
    source = f"{folder} ({options.mean}, {options.std})"
    return Normalisation.checked(found["mean"], found["std"], source)


def read_json(path: Path, remedy: str = "", optional: bool = False) -> dict[str, Any]:
    """Return the content of one of the folder's files.

    :param remedy: what the user can do if it does not exist.
    :param optional: return an empty dict where the file does not exist, instead of raising UserError.
    """
    if not path.is_file():
        if optional:
            return {}
        raise UserError(f"{path} does not exist{remedy}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no keys")
    return values
