"""Finds the files of a data set: links to folders are followed, hidden files and folders are left out."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason, refuse_to_wait


@dataclass
class Found:
    """The files of a folder and of its subfolders, and what was odd on the way."""

    files: list[Path] = field(default_factory=list)
    """Ordered by path."""
    hidden: list[Path] = field(default_factory=list)
    """Files that were left out because their names, or those of their folders, begin with a dot."""
    links: list[Path] = field(default_factory=list)
    """Folders that are symbolic links; their files are among ``files``."""
    loops: list[Path] = field(default_factory=list)
    """Links to a folder that they lie in; not followed."""


def find_files(folder: Path, suffixes: Iterable[str], depth: int | None = None) -> Found:
    """Find the files below a folder whose names end in one of some suffixes, in whatever case.

    :param suffixes: ends of the names, such as ".png".
    :param depth: number of folders between ``folder`` and the files; None: any number.
    :raises UserError: naming a folder that cannot be read, rather than leaving out what is in it.
    """
    ends = tuple(suffix.lower() for suffix in suffixes)
    found = Found()
    _search(folder, ends, depth, (os.path.realpath(folder),), False, found)
    found.files.sort()
    found.hidden.sort()
    return found


def same_name(name: str) -> str:
    """Return what is compared of a name: the same for both Unicode forms of "ü", of one or two characters.

    macOS stores the one form, most other systems the other.
    """
    return unicodedata.normalize("NFC", name)


def _search(
    folder: Path, ends: tuple[str, ...], depth: int | None, above: tuple[str, ...], hidden: bool, found: Found
) -> None:
    """Add the files of a folder to ``found``.

    :param above: the real paths of the folder and of those it lies in, by which loops are noticed.
    :param hidden: the folder, or one that it lies in, is hidden.
    """
    try:
        entries = sorted(os.scandir(folder), key=_name)
    except OSError as error:
        if hidden:
            return
        raise UserError(f"folder {folder} cannot be read: {reason(error)}") from error
    for entry in entries:
        path = folder / entry.name
        dotted = hidden or entry.name.startswith(".")
        try:
            is_folder = entry.is_dir()
            if not is_folder and not entry.is_file() and entry.name.lower().endswith(ends) and path.exists():
                refuse_to_wait(path)
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link to itself
                found.loops.append(path)
                continue
            raise UserError(f"{path} cannot be read: {reason(error)}") from error
        if not is_folder:
            if entry.name.lower().endswith(ends) and not depth:
                (found.hidden if dotted else found.files).append(path)
        elif depth is None or depth > 0:
            real = os.path.realpath(path)
            if real in above:
                found.loops.append(path)
                continue
            if entry.is_symlink():
                found.links.append(path)
            deeper = None if depth is None else depth - 1
            _search(path, ends, deeper, (*above, real), dotted, found)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
