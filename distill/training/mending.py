"""Makes the folder of a run whole before the run is resumed: no damaged file is left lying in it.

Which checkpoint a run is resumed from is decided before, by
:func:`distill.checkpoints.lightning_io.checkpoint_to_resume`. The other ones may be damaged all the same, and
a run of which no epoch is left would never write them again.
"""

from __future__ import annotations

import json
import logging
import shutil
from functools import partial
from pathlib import Path

from distill.checkpoints.checkpoint_file import callback_state
from distill.checkpoints.lightning_io import BEST, LAST, PREVIOUS
from distill.checkpoints.training_cost import COST_FILE, COST_KEY, read_cost, write_cost
from distill.common.torch_file import damage
from kd_seg_ros.common.files import write_atomically

_logger = logging.getLogger(__name__)


def mend_run(folder: Path, resumed: Path) -> bool:
    """Replace or delete what is damaged in the folder of a run; log each mended file in one line.

    :param resumed: the whole checkpoint that the run is resumed from.
    :return: whether the checkpoint with the best validation mIoU was lost. Then ``best.ckpt`` is a copy of
        ``resumed``, to be replaced by the best of the epochs that follow.
    :raises UserError: if a file cannot be written.
    """
    lost = damage(folder / BEST)
    if lost is not None:
        _copy(resumed, folder / BEST)
        _logger.warning(
            "%s %s: the weights of the best epoch are lost; it is now a copy of %s, and the best of the "
            "epochs that follow will replace it",
            *(folder / BEST, lost, resumed.name),
        )
    # Otherwise the next epoch would make the damaged one the previous one.
    problem = damage(folder / LAST)
    if problem is not None:
        _copy(resumed, folder / LAST)
        _logger.info("%s is now a copy of %s", folder / LAST, resumed.name)
    problem = damage(folder / PREVIOUS) if (folder / PREVIOUS).exists() else None
    if problem is not None:
        (folder / PREVIOUS).unlink()
        _logger.warning("%s %s: it is deleted, %s is whole", folder / PREVIOUS, problem, LAST)
    _mend_cost(folder)
    return lost is not None


def _copy(source: Path, target: Path) -> None:
    write_atomically(target, partial(shutil.copyfile, source))


def _mend_cost(folder: Path) -> None:
    """Write the file with the cost of a run again, from the last checkpoint, if it is missing or damaged."""
    path = folder / COST_FILE
    known = read_cost(callback_state(folder / LAST, COST_KEY))
    if known is None:
        return
    try:
        found = read_cost(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        found = None
    if found is None or found.run != known.run:
        write_cost(folder, known)
        _logger.warning("%s was missing or damaged: it is written again from %s", path, LAST)
