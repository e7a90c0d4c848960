"""``python -m kd_seg_ros.campaign``: the campaign of faults with what a vehicle has, without PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kd_seg_ros.common.command_line import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 1 if a case failed, 2 for a user's mistake."""
    return run_command("python -m kd_seg_ros.campaign", "", "kd_seg_ros.campaign.command", argv)


if __name__ == "__main__":
    sys.exit(main())
