"""What can go wrong with a model file and with what it runs on; each message is one line."""

from __future__ import annotations

from typing import Final

from kd_seg_ros.common.errors import UserError, first_line

_OPENVINO_MARK: Final = "openvino"
"""In the names of functions with which OpenVINO's messages begin."""


class EngineError(UserError):
    """A model that cannot be opened or run as asked."""


class ProviderError(EngineError):
    """A provider that does not start, or cannot run a file that is all right."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        """Say what is wrong, and what the user can do about it."""
        super().__init__(f"{reason}: {remedy}" if remedy else reason)
        self.reason = reason


def reason_of(error: BaseException) -> str:
    """Return in one line what an error of ONNX Runtime says.

    That is its first line; but OpenVINO's first line names the functions that were called, and its last one
    says what went wrong.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and _OPENVINO_MARK in lines[0]:
        return lines[-1]
    return first_line(error)
