"""Reads YAML files that a user wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kd_seg_ros.common.errors import UserError


def read_yaml(path: Path, what: str) -> Any:
    """Return the content of a YAML file as plain values.

    :param what: names the kind of file in errors, for example "configuration".
    :raises UserError: if the file cannot be read or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{what} {path} is not YAML: {' '.join(str(error).split())}") from error
