"""Where the shares of the gradients go: the curves, a file of the run, and the log.

``gradients.csv`` in the run's folder has one row per step, term and part of the network::

    step,term,part,share
    0,cwd,backbone,0.1905
    0,cwd,decoder,0.0312

with the share as :mod:`distill.training.gradient_shares` defines it. A resumed run adds rows; where a step
occurs twice, the later row is the one of the run that went on. In the curves the same values are called
``gradient_backbone/TERM`` and ``gradient_decoder/TERM``.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from lightning.pytorch.loggers import Logger

from distill.training.gradient_shares import Shares
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason

_logger = logging.getLogger(__name__)

FILE: Final = "gradients.csv"
"""Name of the file in the run's folder."""
COLUMNS: Final = ("step", "term", "part", "share")


class GradientLog:
    """Writes measurements, says the first one in the log, and warns once per term that is out of bounds."""

    def __init__(self) -> None:
        self._described = False
        self._warned: set[tuple[str, str]] = set()

    def write(self, measured: Sequence[Shares], loggers: Iterable[Logger], folder: Path) -> None:
        """Write what has been measured.

        :param folder: of the run; it exists.
        :raises UserError: if the file cannot be written.
        """
        loggers = list(loggers)
        for shares in measured:
            if not any(shares.of_parts.values()):
                continue  # no term but the labels, or nothing finite
            _append(folder / FILE, shares)
            for logger in loggers:
                logger.log_metrics(_curves(shares), step=shares.step)
            if not self._described and shares.complete:
                self._described = True
                _logger.info("%s", shares.describe())
            for key, warning in shares.faults().items():
                if key not in self._warned:
                    self._warned.add(key)
                    _logger.warning("%s", warning)


def _append(path: Path, shares: Shares) -> None:
    """Add the rows of one step to the file, which gets its first line when it is made."""
    rows = []
    for term, parts in shares.of_parts.items():
        for part, share in parts.items():
            rows.append((shares.step, term, part, f"{share:.4g}"))
    try:
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if file.tell() == 0:
                writer.writerow(COLUMNS)
            writer.writerows(rows)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {reason(error)}") from error


def _curves(shares: Shares) -> dict[str, float]:
    """Return the shares by the names of their curves."""
    curves = {}
    for term, parts in shares.of_parts.items():
        for part, share in parts.items():
            curves[f"gradient_{part}/{term}"] = share
    return curves
