"""Decodes every file of a data set and names all that is wrong with it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from distill.common.parallel import run_jobs
from distill.datasets.frame import Frame, check_sizes, read_label_values, read_pixels, to_train_ids
from distill.datasets.listing import Listing
from kd_seg_ros.common.errors import UserError

FAULT_KINDS: Final = {
    "image": "images that cannot be read",
    "labels": "label files that cannot be read",
    "values": "label files with wrong values",
    "size": "label files of another size than their image",
    "missing": "images without labels",
    "orphan": "labels without an image",
}
"""What can be wrong, and how a summary describes it."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a file."""

    kind: str
    """A key of :data:`FAULT_KINDS`."""
    file: str
    """Path of the file at fault; of an image without labels, the image."""
    message: str
    """The fault in one line, with the file's path."""


def check(listing: Listing, workers: int = 1) -> list[Fault]:
    """Find the faults of a data set: those of its files in their order, then files without a partner.

    :param workers: number of processes that decode the files.
    """
    faults: list[Fault] = []
    for found in run_jobs(check_frame, listing.frames, workers, "check"):
        faults += found
    return faults + partner_faults(listing)


def partner_faults(listing: Listing) -> list[Fault]:
    """Return the faults of files without a partner: images without labels, then labels without an image."""
    faults = []
    for image, labels in listing.missing:
        faults.append(Fault("missing", str(image), f"image {image} has no labels: {labels} does not exist"))
    for path in listing.orphans:
        faults.append(Fault("orphan", str(path), f"labels {path} have no image"))
    return faults


def check_frame(frame: Frame) -> list[Fault]:
    """Decode one image and its labels and return all their faults, not only the first."""
    return check_frame_with_labels(frame)[0]


def check_frame_with_labels(frame: Frame) -> tuple[list[Fault], npt.NDArray[np.uint8] | None]:
    """Decode one image and its labels; return all their faults, and the trainIds [H, W] if they are sound."""
    faults: list[Fault] = []
    image, labels = None, None
    try:
        image = read_pixels(frame)
    except UserError as error:
        faults.append(_fault("image", frame.image, error))
    if frame.labels is None:
        return faults, None
    try:
        values = read_label_values(frame)
    except UserError as error:
        return [*faults, _fault("labels", frame.labels, error)], None
    try:
        labels = to_train_ids(values, frame)
    except UserError as error:
        faults.append(_fault("values", frame.labels, error))
    if image is not None:
        try:
            check_sizes(image, values, frame)
        except UserError as error:
            faults.append(_fault("size", frame.labels, error))
    return faults, labels


def summary(listing: Listing, faults: Sequence[Fault]) -> dict[str, Any]:
    """Return the numbers of images and of faults by kind, and the faults, as plain values for JSON."""
    counted = Counter(fault.kind for fault in faults)
    return {
        "images": len(listing.frames),
        "labelled": sum(frame.labels is not None for frame in listing.frames),
        "counts": {kind: counted[kind] for kind in FAULT_KINDS},
        "faults": [asdict(fault) for fault in faults],
    }


def _fault(kind: str, file: Path, error: UserError) -> Fault:
    return Fault(kind, str(file), str(error))
