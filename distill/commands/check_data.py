"""``python -m distill check-data``: decode a whole data set and name everything that is wrong with it."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.common.files import write_json
from distill.common.parallel import default_workers, run_jobs
from distill.datasets.frame import Frame, check_sizes, read_image, read_label_values, to_train_ids
from distill.datasets.listing import Listing
from distill.datasets.registry import add_data_arguments, data_from, title_of
from kd_seg_ros.common.errors import UserError

KINDS = {
    "image": "images that cannot be read",
    "labels": "label files that cannot be read",
    "values": "label files with wrong values",
    "size": "label files of another size than their image",
    "missing": "images without labels",
    "orphan": "labels without an image",
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    kind: str
    """One of :data:`KINDS`."""
    file: str
    message: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_data_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the faults and counts here")
    parser.add_argument(
        "--workers", type=int, default=default_workers(), metavar="N", help="processes (%(default)s)"
    )
    parser.epilog = "Exit status: 0 if nothing is wrong, 1 if something is, 2 if there is nothing to check."


def run(args: argparse.Namespace) -> int:
    """Print one line a fault, then the counts; return 1 if there are any."""
    listing = data_from(args)
    faults = check(listing, args.workers)
    for fault in faults:
        print(fault.message)
    document = summary(listing, faults)
    print(f"{title_of(args)}: {document['images']} images, {document['labelled']} with labels")
    for kind, count in document["counts"].items():
        if count:
            print(f"  {count} {KINDS[kind]}")
    print(f"{len(faults)} faults" if faults else "nothing wrong")
    if args.json:
        write_json(args.json, document)
    return int(bool(faults))


def check(listing: Listing, workers: int = 1) -> list[Fault]:
    """Find the faults of a data set: of its files in their order, then what has no partner."""
    faults = [fault for found in run_jobs(inspect, listing.frames, workers, "check") for fault in found]
    for image, labels in listing.missing:
        faults.append(Fault("missing", str(image), f"image {image} has no labels: {labels} does not exist"))
    for path in listing.orphans:
        faults.append(Fault("orphan", str(path), f"labels {path} have no image"))
    return faults


def inspect(frame: Frame) -> list[Fault]:
    """Decode one frame and return all its faults."""
    faults: list[Fault] = []

    def attempt(kind: str, file: Path, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except UserError as error:
            faults.append(Fault(kind, str(file), str(error)))
            return None

    image = attempt("image", frame.image, lambda: read_image(frame.image))
    if frame.labels is None:
        return faults
    values = attempt("labels", frame.labels, lambda: read_label_values(frame))
    if values is not None:
        attempt("values", frame.labels, lambda: to_train_ids(values, frame))
        if image is not None:
            attempt("size", frame.labels, lambda: check_sizes(image, values, frame))
    return faults


def summary(listing: Listing, faults: list[Fault]) -> dict[str, Any]:
    """Build the content of the JSON file."""
    counted = Counter(fault.kind for fault in faults)
    return {
        "images": len(listing.frames),
        "labelled": sum(frame.labels is not None for frame in listing.frames),
        "counts": {kind: counted[kind] for kind in KINDS},
        "faults": [asdict(fault) for fault in faults],
    }
