"""Finds the label file of every image by its name, in a folder tree that mirrors that of the images.

A reader of a data set makes a :class:`Listing`, which also holds the files without a partner: training takes
its :meth:`Listing.complete` frames, ``check-data`` reports the rest.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from distill.datasets.files import Found, find_files, same_name
from distill.datasets.frame import Frame, LabelMap
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

_logger = logging.getLogger(__name__)

SPLITS: Final[tuple[str, ...]] = ("train", "val", "test")


@dataclass(frozen=True)
class Oddities:
    """What was odd about the folders of a data set, without being wrong."""

    hidden: tuple[Path, ...] = ()
    """Files that were left out because their names, or those of their folders, begin with a dot."""
    links: tuple[Path, ...] = ()
    """Folders that are symbolic links; they were followed."""
    loops: tuple[Path, ...] = ()
    """Links to a folder that they lie in; they were not followed."""


@dataclass(frozen=True)
class Listing:
    """The images of a data set with their labels, and the files that have no partner."""

    frames: list[Frame]
    """One for every image, without labels where those are missing."""
    missing: list[tuple[Path, Path]] = field(default_factory=list)
    """Each image whose labels are missing, with the label file that it should have."""
    orphans: list[Path] = field(default_factory=list)
    """Label files whose image is missing."""
    class_names: tuple[str, ...] = CLASS_NAMES
    """Names of the classes, in the order of their trainIds."""
    oddities: Oddities = Oddities()
    """What was odd about its folders."""

    def complete(self, skip_unlabelled: bool = False) -> list[Frame]:
        """Return the frames. Labels without an image are no error.

        Nothing is logged: `fit` lists its data several times, and tells of images without labels once.

        :param skip_unlabelled: leave out the images whose labels are missing.
        :raises UserError: if labels are missing, or there are none at all.
        """
        if self.missing and skip_unlabelled:
            gaps = {image for image, _ in self.missing}
            labelled = [frame for frame in self.frames if frame.image not in gaps]
            if not labelled:
                raise UserError(
                    f"none of the {len(self.frames)} images has labels: {self.missing[0][1]} does not exist"
                )
            return labelled
        if self.missing:
            image, labels = self.missing[0]
            others = f" (nor have {len(self.missing) - 1} others)" if len(self.missing) > 1 else ""
            raise UserError(
                f"image {image} has no labels: {labels} does not exist{others}; `check-data` lists all, "
                "and `data.unlabelled: skip` leaves such images out"
            )
        return self.frames

    def log_left_out(self, frames: Sequence[Frame]) -> None:
        """Log how many images have been left out for lack of labels, if any have.

        :param frames: what :meth:`complete` has returned.
        """
        count = len(self.frames) - len(frames)
        if count:
            _logger.warning("%d images without labels are left out, %d stay", count, len(frames))


@dataclass(frozen=True)
class Naming:
    """How a data set names its files: what follows the part of the name that image and labels share."""

    folder_depth: int
    """Number of folders between the folder of the split and the files."""
    image_suffix: str
    """End of the name of an image file."""
    label_suffixes: Mapping[str, LabelMap | None]
    """End of the name of each kind of label file, the preferred kind first, and its table to trainIds."""


def list_split(images: Path, labels: Path | None, naming: Naming, condition: str, remedy: str) -> Listing:
    """List the images of a split's folder, ordered by path, with their labels.

    :param images: folder of the split's images.
    :param labels: the folder that mirrors ``images``; None for a split without labels.
    :param condition: the weather of all images.
    :param remedy: what the user can do about a folder that is missing or empty; ends the error message.
    :raises UserError: naming the folder that is missing or empty.
    """
    depth = naming.folder_depth
    found = find_files(images, [naming.image_suffix], depth) if images.is_dir() else Found()
    if not found.files:
        pattern = "*/" * depth + f"*{naming.image_suffix}"
        problem = f"has no {pattern}" if images.is_dir() else "does not exist"
        raise UserError(f"image folder {images} {problem}: {remedy}")
    if labels is None:
        frames = [Frame(path, None, condition) for path in found.files]
        return Listing(frames, oddities=oddities_of(found))
    if not labels.is_dir():
        raise UserError(f"label folder {labels} does not exist: {remedy}")
    label_files = find_files(labels, naming.label_suffixes, depth)
    # The names of both without what comes after the part that they share, and for labels the kind of file.
    by_name: dict[tuple[str, str], Path] = {}
    for path in label_files.files:
        suffix = _suffix_of(path, naming.label_suffixes)
        _add(by_name, (_shared_name(path, labels, suffix), suffix), path)
    frames, missing, orphans = [], [], dict(by_name)
    seen: dict[tuple[str, str], Path] = {}
    for path in found.files:
        name = _shared_name(path, images, naming.image_suffix)
        _add(seen, (name, ""), path)
        kinds = [suffix for suffix in naming.label_suffixes if (name, suffix) in by_name]
        if kinds:
            labels_file = by_name[name, kinds[0]]
            frames.append(Frame(path, labels_file, condition, naming.label_suffixes[kinds[0]]))
        else:
            preferred = next(iter(naming.label_suffixes))
            missing.append((path, labels / f"{name}{preferred}"))
            frames.append(Frame(path, None, condition))
        for suffix in kinds:
            del orphans[name, suffix]
    oddities = joined_oddities([oddities_of(found), oddities_of(label_files)])
    return Listing(frames, missing, sorted(orphans.values()), oddities=oddities)


def oddities_of(found: Found) -> Oddities:
    """Return what was odd about one folder."""
    return Oddities(tuple(found.hidden), tuple(found.links), tuple(found.loops))


def joined_oddities(all_oddities: Iterable[Oddities]) -> Oddities:
    """Return what was odd about several folders together."""
    whole = Oddities()
    for one in all_oddities:
        whole = Oddities(whole.hidden + one.hidden, whole.links + one.links, whole.loops + one.loops)
    return whole


def _suffix_of(path: Path, suffixes: Iterable[str]) -> str:
    """Return which of some suffixes, in whatever case, a file's name ends in: the longest one that fits."""
    fitting = [suffix for suffix in suffixes if path.name.lower().endswith(suffix.lower())]
    return max(fitting, key=len)


def _shared_name(path: Path, folder: Path, suffix: str) -> str:
    """Return the part of a file's path below a folder that image and labels have in common."""
    return same_name(path.relative_to(folder).as_posix()[: -len(suffix)])


def _add(names: dict[tuple[str, str], Path], name: tuple[str, str], path: Path) -> None:
    """Note the file of a name; raises UserError if another file has the same one."""
    if name in names:
        raise UserError(
            f"{names[name]} and {path} differ in their upper and lower case or Unicode form alone: remove one"
        )
    names[name] = path


def joined(listings: Iterable[Listing]) -> Listing:
    """Join listings of the usual 19 classes, in order."""
    whole = Listing([])
    oddities = []
    for listing in listings:
        whole.frames.extend(listing.frames)
        whole.missing.extend(listing.missing)
        whole.orphans.extend(listing.orphans)
        oddities.append(listing.oddities)
    return replace(whole, oddities=joined_oddities(oddities))


def check_split(split: str, data_set: str) -> None:
    """Raise UserError for a split that does not exist; ``data_set`` is named in the message."""
    if split not in SPLITS:
        raise UserError(f"unknown {data_set} split {split!r}: choose from {', '.join(SPLITS)}")


def first_folder(root: Path, candidates: Sequence[str], remedy: str) -> Path:
    """Return the first of several folders below ``root`` that exists.

    :param candidates: paths relative to ``root``.
    :param remedy: what the user can do if none exists; ends the error message.
    :raises UserError: naming all candidates, if none exists, or ``root``, if that is missing.
    """
    if not root.is_dir():
        raise UserError(f"data root {root} " + ("is not a folder" if root.exists() else "does not exist"))
    for candidate in candidates:
        if (root / candidate).is_dir():
            return root / candidate
    raise UserError(f"{root} has none of the folders {', '.join(candidates)}: {remedy}")
