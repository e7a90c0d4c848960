"""What Hugging Face's files next to a weights file say about its network: classes and normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.teachers.huggingface_folder import SEMANTIC
from distill.teachers.huggingface_json import COMMAND, named_classes, normalisation, read_json


@dataclass(frozen=True)
class Description:
    """What is known of a network; None: not known."""

    class_names: tuple[str, ...] | None = None
    """Names of the classes in the order of the channels."""
    mean: tuple[float, ...] | None = None
    """Mean of R, G and B, 0…1, that its images are normalised by."""
    std: tuple[float, ...] | None = None
    """Their standard deviation, likewise."""


def described_next_to(file: Path, named: bool = False) -> Description:
    """Read the ``config.json`` and ``preprocessor_config.json`` of a weights file's folder.

    :param named: the user has named the classes, so that config.json need not.
    :return: an empty description where there is no config.json of a segmentation network.
    :raises UserError: if one of them is damaged, or config.json names no classes.
    """
    values = read_json(file.parent / "config.json", optional=True)
    architectures = values.get("architectures")
    if not isinstance(architectures, list) or not str(architectures[:1]).endswith(f"{SEMANTIC}']"):
        return Description()
    names = None
    labels = values.get("id2label")
    if isinstance(labels, dict) and not named:
        by_number = {int(key): str(name) for key, name in labels.items() if str(key).isdecimal()}
        names = tuple(named_classes(file.parent, by_number, len(labels), None, COMMAND))
    settings = read_json(file.parent / "preprocessor_config.json", optional=True)
    if not settings:
        return Description(names)
    found = normalisation(file.parent, settings, None, None, COMMAND)
    return Description(names, tuple(found.mean), tuple(found.std))
