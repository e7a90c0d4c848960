"""May an output be written here: is it new, an interrupted run of the same command, or something else?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kd_seg_ros.bags.bag_reader import BagReader
from kd_seg_ros.bags.resumable_bag import METADATA, notes_of
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import TEMPORARY


def check_resume(out: Path, command: dict[str, Any], source: Path, overwrite: bool) -> dict[str, Any] | None:
    """Return the notes of an earlier run of the same command, which may be resumed; None for a new bag.

    :param command: all that the output depends on, by name; :func:`fingerprint` describes the input.
    :param overwrite: an earlier output of the same program is not in the way, whatever it was asked to do.
    :raises UserError: if something else is in the way.
    """
    if source.resolve() == out.resolve() or source.resolve().parent == out.resolve():
        raise UserError(f"--out {out} is the input: choose another")
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file: a rosbag2 is a folder, give the name of a new one")
    if not out.is_dir() or not any(file.name != METADATA + TEMPORARY for file in out.iterdir()):
        return None
    notes = notes_of(out)
    if notes is None or "command" not in notes:
        raise UserError(f"--out {out} is in the way and was not made by segment_bag: choose another")
    if overwrite:
        return None
    other = [key for key in command if command[key] != notes["command"].get(key)]
    if other:
        raise UserError(
            f"--out {out} was made by another command, which differs in {', '.join(other)}: "
            "choose another or give --overwrite"
        )
    return notes


def fingerprint(reader: BagReader, path: Path) -> dict[str, Any]:
    """Describe a bag's content well enough to notice that it is another one."""
    folder = path if path.is_dir() else path.parent
    names = sorted(f.name for f in folder.iterdir() if f.is_file()) if path.is_dir() else [path.name]
    stored = [name for name in names if name.endswith((".mcap", ".db3", ".zstd"))]
    return {
        "messages": reader.message_count,
        "start": reader.start_time,
        "end": reader.end_time,
        "files": [[name, (folder / name).stat().st_size] for name in stored],
    }
