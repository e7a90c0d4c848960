"""Keys of the configuration given on the command line: ``--data.root DIR --training.epochs=3``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from kd_seg_ros.common.errors import UserError


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse ``--key value`` and ``--key=value`` pairs; values are read as YAML.

    :raises UserError: for an argument that is no option, an option without a value, a value that is not YAML.
    """
    values: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        key, equals, value = argument.partition("=")
        if not key.startswith("--"):
            raise UserError(f"unexpected argument {argument!r}; options look like --key value")
        if not equals:
            following = next(rest, None)
            if following is None:
                raise UserError(f"option {key} needs a value")
            value = following
        try:
            values[key[2:]] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"option {key}: {value!r} is not a YAML value") from error
    return values
