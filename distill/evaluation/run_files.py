"""The files of an evaluation, written: metrics.json and, next to it, per_class.csv and images.npz.

metrics.json is written last and holds the SHA-256 of the two tables. The reader compares, so that the files
of two evaluations are never taken for those of one, wherever writing was interrupted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from distill.common.files import write_json
from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import sibling
from distill.evaluation.score_table import write_per_class
from kd_seg_ros.common.files import sha256

IMAGES: Final = "images.npz"
"""Table of the scores of single images."""
PER_CLASS: Final = "per_class.csv"
"""Table of the scores by condition and class."""


def write_run(path: Path, document: dict[str, Any], images: ImageScores) -> dict[str, Any]:
    """Write the files of an evaluation.

    :param path: of the metrics.json.
    :param document: its content, see :func:`~distill.evaluation.metrics_json.metrics_document`.
    :return: the content as written, with the key ``files``: SHA-256 of each table by its name.
    :raises UserError: if a file cannot be written.
    """
    images.save(sibling(path, IMAGES))
    write_per_class(sibling(path, PER_CLASS), document)
    digests = {name: sha256(sibling(path, name)) for name in (IMAGES, PER_CLASS)}
    written = document | {"files": digests}
    write_json(path, written)
    return written
