"""What can go wrong with a model file and with what it runs on; each message is one line."""

from __future__ import annotations

from kd_seg_ros.common.errors import UserError


class EngineError(UserError):
    """A model that cannot be opened or run as asked."""


class ProviderError(EngineError):
    """A provider that does not start, or cannot run a file that is all right."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        """Say what is wrong, and what the user can do about it."""
        super().__init__(f"{reason}: {remedy}" if remedy else reason)
        self.reason = reason
