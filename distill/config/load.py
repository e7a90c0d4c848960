"""From a YAML file, its bases and the command line to a validated experiment; errors name their place."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from distill.common.yaml_file import Location
from distill.config.draft import COMMAND_LINE, Draft, read_draft
from distill.config.experiment import Config
from distill.config.keys import keys_next_to
from distill.config.shipped import find_config
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean


def load_config(config: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and validate an experiment.

    :param config: a file, or the name of a configuration of this package such as ``j_rn18_cwd_border``.
    :param overrides: values by dotted key, ``{"training.epochs": 3}``; they replace those of the file.
    :raises UserError: naming the file and line, or the option, at fault.
    """
    return load_with_draft(config, overrides)[0]


def load_with_draft(config: str | Path, overrides: Mapping[str, Any] | None = None) -> tuple[Config, Draft]:
    """Read and validate an experiment; return also the values as they were given, with their origins.

    The parameters and errors are those of :func:`load_config`.
    """
    path = find_config(config)
    overrides = overrides or {}
    draft = _read(path, overrides)
    try:
        return Config.model_validate(draft.values), draft
    except ValidationError as error:
        fault = _first_fault(error, draft)
        options = _options_at_fault(fault, draft, path, overrides)
        place = " and ".join(options) or _place_in_files(fault, draft)
        raise UserError(f"{place}: {fault.text(options)}") from error


def parse_config(values: object, source: str) -> Config:
    """Validate plain values.

    :param values: a mapping of sections, as YAML or a checkpoint holds it; anything else is refused.
    :param source: what the values come from, to name it in errors.
    :raises UserError: naming the source and the key at fault.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{source}: the configuration is no mapping of sections: {values!r:.60}")
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{source}: {_first_fault(error, Draft(source, dict(values))).text()}") from error


@dataclass(frozen=True)
class _Fault:
    """A mistake in the values of a configuration."""

    location: Location
    """The value at fault, or the section whose values do not go together; empty for the whole of it."""
    message: str
    """What is wrong, without the key unless ``kind`` is "unknown" or "missing"."""
    kind: str
    """"unknown" for a key that there is not, "missing" for one that must be given, "section", "value"."""

    def text(self, options: list[str] | None = None) -> str:
        """Return the message with the key, where neither it nor the options in front of it say it."""
        key = ".".join(self.location)
        says_it = self.kind in ("unknown", "missing") or not key or options == [f"--{key}"]
        return self.message if says_it else f"{key!r}: {self.message}"


def _read(path: Path, overrides: Mapping[str, Any]) -> Draft:
    """Read a file and lay the overrides over it; the mappings and lists among them are copied."""
    draft = read_draft(path)
    for key, value in overrides.items():
        draft.set(key, copy.deepcopy(value), COMMAND_LINE)
    return draft


def _first_fault(error: ValidationError, draft: Draft) -> _Fault:
    """Return the first fault of a validation; a wrong name goes before what is missing because of it."""
    faults = error.errors()
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    location = tuple(str(part) for part in first["loc"])
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = keys_next_to(location)
        advice = did_you_mean(location[-1], known) or f"; there are {', '.join(known)}"
        return _Fault(location, f"unknown key {key!r}{advice}", "unknown")
    if first["type"] == "missing":
        return _Fault(location, f"{key!r} is missing", "missing")
    # Pydantic names the alternative of a type, too: student.pretrained.bool.
    location = draft.reached(location)
    message = first["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    message = message[0].lower() + message[1:]
    if isinstance(first["input"], dict):
        return _Fault(location, message, "section")
    if not message.startswith("unknown"):  # which names it
        message += f" (it is {first['input']!r})"
    return _Fault(location, message, "value")


def _options_at_fault(fault: _Fault, draft: Draft, path: Path, overrides: Mapping[str, Any]) -> list[str]:
    """Return the options of the command line that the fault comes from, such as ``--training.epochs``."""
    given, origin = draft.origin_of(fault.location)
    if fault.kind == "section":
        # Values that do not go together: would they without an option, or without all of them?
        for key in overrides:
            others = {other: value for other, value in overrides.items() if other != key}
            if not _has_fault(fault, path, others):
                return [f"--{key}"]
        if overrides and not _has_fault(fault, path, {}):
            return [f"--{key}" for key in overrides]
        return []
    key = ".".join(given)
    if origin != COMMAND_LINE or (fault.kind == "missing" and key not in overrides):
        return []
    return [f"--{key}"]


def _place_in_files(fault: _Fault, draft: Draft) -> str:
    """Return the file and line of a fault, or the file alone where no line gives the value."""
    _, origin = draft.origin_of(fault.location)
    return draft.source if origin in (None, COMMAND_LINE) else str(origin)


def _has_fault(fault: _Fault, path: Path, overrides: Mapping[str, Any]) -> bool:
    """Return whether a configuration with these overrides has the same fault."""
    draft = _read(path, overrides)
    try:
        Config.model_validate(draft.values)
    except ValidationError as error:
        return _first_fault(error, draft).message == fault.message
    return False
