"""The configurations that this package brings, found by name from a checkout, a wheel or a ROS 2 install."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.share import share_path
from kd_seg_ros.common.suggest import did_you_mean

FOLDER: Final = "config/distill"
CONFIG_HELP: Final = "YAML file, or the name of an experiment of this package, e.g. j_rn18_cwd_border"
_SUFFIX: Final = ".yaml"
_logger = logging.getLogger(__name__)


def add_config_argument(parser: argparse.ArgumentParser, name: str, **settings: Any) -> None:
    """Declare the argument of a command that takes a configuration, for :func:`find_config`.

    :param name: of the argument, ``--config`` or a positional one's.
    :param settings: what else ``add_argument`` takes.
    """
    action = parser.add_argument(name, metavar="EXPERIMENT", help=CONFIG_HELP, **settings)
    # argcomplete, where it is installed, asks here for the words to offer after this argument.
    action.completer = _names_to_offer  # type: ignore[attr-defined]


def shipped_configs() -> dict[str, Path]:
    """Return the files of the package's configurations by name, those that only serve as a base included.

    :raises UserError: if the package's files were not installed.
    """
    return {path.stem: path for path in sorted(share_path(FOLDER).glob(f"*{_SUFFIX}"))}


def find_config(given: str | Path) -> Path:
    """Return the file of a configuration given by its path or by the name of one that this package brings.

    A file in the working folder goes before the package's of the same name; a warning says so.

    :param given: a path, or a name without folder, with or without ``.yaml``.
    :raises UserError: if there is neither such a file nor such a name, with the nearest names.
    """
    path = Path(given)
    is_name = len(path.parts) == 1 and path.suffix in ("", _SUFFIX)
    name = path.stem if path.suffix == _SUFFIX else path.name
    local = path
    if is_name and not path.exists():
        local = path.with_name(name + _SUFFIX)
    shipped = shipped_configs().get(name) if is_name else None
    if local.exists():
        if shipped is not None and not local.samefile(shipped):
            _logger.warning("--config %s: %s in this folder is used, not %s", given, local, shipped)
        return local
    if shipped is not None:
        return shipped
    advice = did_you_mean(name, shipped_configs(), 3)
    if is_name:
        advice = advice or "; `kd_seg experiments` lists those of the thesis"
        raise UserError(f"there is no configuration {str(given)!r}, by path or by name{advice}")
    raise UserError(f"configuration {given} does not exist{advice}")


def _names_to_offer(**_: Any) -> list[str]:
    return list(shipped_configs())
