"""One look at the data before training: what would make the training or its scores meaningless, in seconds.

A sample of the images, spread evenly over each split, is decoded with its labels. What is found stands in
``data_check.json`` next to the run's checkpoints, from which the report and the model card take it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from distill.common.parallel import run_jobs
from distill.config.data import DataConfig
from distill.data.from_config import kept_frames, limited, open_source, spread_evenly
from distill.datasets.findings import (
    Finding,
    findings,
    listing_findings,
    look_at,
    size_text,
    total_counts,
)
from distill.datasets.frame import Frame
from distill.datasets.listing import Listing
from distill.datasets.training_images import digests_of
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError

DATA_CHECK: Final = "data_check.json"
"""Name of the file with what was seen of the data before training, in the folder of the run."""
SAMPLE: Final = 100
"""Number of images of each split that are looked at."""

SPLITS: Final = ("train", "val")


def data_digest(data: DataConfig) -> str:
    """Return the SHA-256 of the section ``data``: a check and a checkpoint of the same belong together."""
    text = json.dumps(data.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_data(data: DataConfig, amount: str = "sample", workers: int = 1) -> dict[str, Any]:
    """Look at the data of a training and return what was counted and found, as plain values for JSON.

    :param amount: one of :data:`~distill.datasets.findings.AMOUNTS`; with "none", files are counted but
        not opened.
    :param workers: number of processes that decode.
    :raises UserError: for data that cannot be listed.
    """
    found: list[Finding] = []
    listed: dict[str, list[Frame]] = {}
    splits = {}
    for split in SPLITS:
        sources = data.sources if split == "train" else (data,)
        frames, skipped = [], 0
        for source in sources:
            own_split = source.split if split == "train" else split
            listing = open_source(source, own_split)
            kept = kept_frames(listing, source, own_split)
            frames += limited(kept, source, own_split)
            skipped += len(listing.frames) - len(kept)
            found += _partner_findings(listing, split, len(listing.frames) - len(kept))
        listed[split] = frames
        counted, more = _looked_at(frames, data.class_names, split, amount, workers)
        found += more
        places = [{"dataset": source.dataset, "root": str(source.root)} for source in sources]
        splits[split] = {"sources": places, "skipped": skipped} | counted
    found += _overlap(listed["train"], listed["val"], amount)
    return {
        "amount": amount,
        "data": data_digest(data),
        "description": data.description,
        "splits": splits,
        "findings": [asdict(finding) for finding in found],
    }


def read_data_check(checkpoint: Path, data: DataConfig) -> dict[str, Any] | None:
    """Return what was seen of a checkpoint's data before its training; None if that is not known.

    :param checkpoint: the file; ``data_check.json`` lies next to it.
    :param data: the data of the checkpoint's configuration; a check of other data is left alone.
    """
    try:
        document = json.loads((checkpoint.parent / DATA_CHECK).read_text(encoding="utf-8"))
        belongs = document["data"] == data_digest(data) and _is_whole(document)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return document if belongs else None


def _is_whole(document: dict[str, Any]) -> bool:
    """Return whether a check has what is read of it; raises LookupError or TypeError if it is none."""
    for split in SPLITS:
        counted = document["splits"][split]
        numbers = [counted["images"], counted["labelled"], counted["looked_at"]]
        numbers += [*counted["conditions"].values(), *counted.get("sizes", {}).values()]
        if not all(type(number) is int and number >= 0 for number in numbers):
            return False
        if not all(
            isinstance(one["dataset"], str) and isinstance(one["root"], str) for one in counted["sources"]
        ):
            return False
    findings_are_text = all(isinstance(finding["message"], str) for finding in document["findings"])
    return findings_are_text and set(document["splits"]) == set(SPLITS)


def describe_data(document: dict[str, Any] | None, data: DataConfig) -> str:
    """Say in a line what a network was trained on: what was counted, then the configuration's words, quoted.

    :param document: what :func:`read_data_check` returned.
    """
    parts = []
    for split in SPLITS if document is not None else ():
        counted = document["splits"][split]  # type: ignore[index]
        weathers = ", ".join(f"{number} {name}" for name, number in counted["conditions"].items())
        sources = " + ".join(f"{one['dataset']} in {Path(one['root']).name}" for one in counted["sources"])
        sizes = list(counted.get("sizes", {}))
        size = f", {sizes[0]}" if len(sizes) == 1 else f", {len(sizes)} sizes" if sizes else ""
        parts.append(f"{split}: {counted['images']} images ({weathers}){size}, read as {sources}")
    text = "; ".join(parts) or "images not counted"
    words = data.description or data.summary
    return f'{text}; described as "{words}"'


def limitations(document: dict[str, Any] | None, data: DataConfig) -> str:
    """Say what the network must not be used for: the configuration's words, and what the data showed."""
    stated = data.limitations.strip()
    parts = [f'Stated: "{stated}"'] if stated else ["None were stated."]
    if document is None:
        parts.append("The data were not looked at.")
    else:
        parts += [f"Data: {finding['message']}." for finding in document["findings"]]
    return " ".join(parts)


def refuse_errors(document: dict[str, Any]) -> None:
    """Raise UserError with the first error that a check found, if there is one."""
    errors = [finding["message"] for finding in document["findings"] if finding["level"] == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UserError(f"{errors[0]}{more}; `--check none` trains all the same")


def _looked_at(
    frames: Sequence[Frame], names: Sequence[str], split: str, amount: str, workers: int
) -> tuple[dict[str, Any], list[Finding]]:
    """Decode frames of a split; return what was counted, and what was found."""
    counted: dict[str, Any] = {
        "images": len(frames),
        "labelled": sum(frame.labels is not None for frame in frames),
        "conditions": dict(Counter(frame.condition for frame in frames)),
        "looked_at": 0,
    }
    if amount == "none":
        return counted, []
    # Frames of all data sets and weathers, for they are listed one after the other.
    chosen = list(frames) if amount == "all" else spread_evenly(frames, SAMPLE)
    if len(chosen) > SAMPLE:
        looks = list(run_jobs(look_at, chosen, workers, f"check of {split}"))
    else:
        looks = [look_at(frame) for frame in chosen]
    found = findings(looks, names, split, len(frames))
    if amount == "sample" and any(finding.level == "error" for finding in found):
        # So grave a finding must hold for all images, not for the sample alone.
        return _looked_at(frames, names, split, "all", workers)
    for look in looks:
        found += [Finding("error", fault.kind, fault.message) for fault in look.faults]
    counts = total_counts(looks)
    labelled = int(counts.sum() - counts[IGNORE_ID])
    counted |= {
        "looked_at": len(looks),
        "sizes": dict(Counter(size_text(look.size) for look in looks if look.size is not None)),
        "classes": {name: int(counts[number]) / max(labelled, 1) for number, name in enumerate(names)},
        "ignored": int(counts[IGNORE_ID]) / max(int(counts.sum()), 1),
    }
    return counted, found


def _partner_findings(listing: Listing, split: str, skipped: int) -> list[Finding]:
    """Say which files of a split have no partner, and what was odd about its folders."""
    found = []
    if skipped:
        found.append(
            Finding("oddity", "unlabelled", f"{split}: {skipped} images without labels are left out")
        )
    if listing.orphans:
        text = f"{split}: {len(listing.orphans)} label files have no image, such as {listing.orphans[0]}"
        found.append(Finding("oddity", "orphans", text))
    return found + listing_findings(listing.oddities, split)


def _overlap(train: Sequence[Frame], val: Sequence[Frame], amount: str) -> list[Finding]:
    """Say how many files are in both splits, by their path or their content, or in training twice."""
    found = []
    paths = Counter(frame.image.resolve() for frame in train)
    twice = sum(number > 1 for number in paths.values())
    if twice:
        found.append(Finding("oddity", "twice", f"train: {twice} images are listed more than once"))
    same = [frame for frame in val if frame.image.resolve() in paths]
    if same:
        text = f"val: {len(same)} of {len(val)} images are training images, too, such as {same[0].image}"
        found.append(Finding("oddity", "overlap", f"{text}: the scores do not tell how it does on others"))
    elif amount != "none":
        copies = _copies(train, val)
        if copies:
            one, other = copies[0]
            text = f"val: {len(copies)} images have the same content as training images, such as {one} and"
            found.append(
                Finding("oddity", "overlap", f"{text} {other}: the scores do not tell how it does on others")
            )
    return found


def _copies(train: Sequence[Frame], val: Sequence[Frame]) -> list[tuple[Path, Path]]:
    """Return the validation images with a training image of the same content, each with that one."""
    sizes = {_size(frame) for frame in val}
    alike = [frame for frame in train if _size(frame) in sizes]
    by_digest = dict(zip(digests_of(alike), alike, strict=True))
    by_digest.pop(None, None)
    if not by_digest:
        return []
    pairs = []
    for frame, digest in zip(val, digests_of(val), strict=True):
        if digest in by_digest:
            pairs.append((frame.image, by_digest[digest].image))
    return pairs


def _size(frame: Frame) -> int:
    """Return the size of an image's file in bytes; -1 for one in a bag, or that is missing."""
    try:
        return frame.image.stat().st_size if frame.message is None else -1
    except OSError:
        return -1
