"""ROS names and files that a user gives to a launch file, checked before anything is started. No ROS here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.suggest import did_you_mean
from kd_seg_ros.common.topics import COMPRESSED

LOG_LEVELS: Final = ("debug", "info", "warn", "error", "fatal")
"""Levels that rcl's option ``--log-level`` knows, from the least to the most serious."""

_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NAMESPACE: Final = re.compile(r"/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)
_TOPIC: Final = re.compile(r"(~?/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)


def check_name(where: str, name: str) -> None:
    """Refuse what is no name of a node; raises UserError that begins with ``where``."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{where}: must be a node's name, of letters, digits and underscores, such as front, not {name!r}"
        )


def check_namespace(where: str, namespace: str) -> None:
    """Refuse what is no namespace; raises UserError that begins with ``where``."""
    if not _NAMESPACE.fullmatch(namespace):
        raise UserError(f"{where}: must be a ROS namespace such as front or car/front, not {namespace!r}")


def check_image_topic(where: str, topic: str, remedy: str) -> None:
    """Refuse what is no name of an image topic; raises UserError that begins with ``where``.

    :param remedy: how the compressed copies of the images are asked for.
    """
    if not _TOPIC.fullmatch(topic):
        raise UserError(f"{where}: must be a ROS topic such as /camera/image_raw, not {topic!r}")
    if topic.endswith(COMPRESSED):
        raise UserError(
            f"{where}: is the topic without {COMPRESSED}: write {topic.removesuffix(COMPRESSED)} and {remedy}"
        )


def check_log_level(text: str) -> None:
    """Refuse what is neither ``LEVEL`` nor ``LOGGER:=LEVEL``; raises UserError."""
    level = text.rpartition(":=")[2]
    if level.lower() not in LOG_LEVELS:
        advice = did_you_mean(level, LOG_LEVELS)
        raise UserError(f"log_level:={text}: must be one of {', '.join(LOG_LEVELS)}{advice}")


def full_namespace(pushed: str, namespace: str) -> str:
    """Return the absolute namespace of a node, as ``launch_ros`` makes it.

    :param pushed: namespace of the group or launch file around the node; may be empty.
    :param namespace: the node's; one with a leading slash stands alone.
    """
    parts = namespace if namespace.startswith("/") else f"{pushed}/{namespace}"
    return "/" + "/".join(part for part in parts.split("/") if part)


def full_topic(namespace: str, node: str, topic: str) -> str:
    """Return the absolute name of a topic: a relative one lies in the namespace, ``~/`` is the node itself.

    :param namespace: absolute.
    :param node: name of the node.
    """
    if topic.startswith("/"):
        return topic
    return f"{namespace.rstrip('/')}/{topic.replace('~', node, 1)}"


def existing_file(where: str, name: str, folder: Path | None = None) -> Path:
    """Return the path of a file; ``~`` is the home folder.

    :param folder: what a relative name is relative to; None: the current folder.
    :raises UserError: that begins with ``where``, if there is no such file.
    """
    try:
        file = (folder or Path()) / Path(name).expanduser()
    except RuntimeError as error:  # ~nobody/...
        raise UserError(f"{where}: {name}: {first_line(error)}") from error
    if not file.is_file():
        raise UserError(f"{where}: {file}: {'is a folder' if file.is_dir() else 'no such file'}")
    return file


def read_yaml(path: Path, purpose: str) -> Any:
    """Return the content of a YAML file.

    :param purpose: what such a file is, for the error message.
    :raises UserError: if it cannot be read; with the line where it is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise UserError(f"{path}: {reason}: {purpose}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        reason = getattr(error, "problem", None) or first_line(error)
        raise UserError(f"{path}: {place}not YAML: {reason}") from error
