"""``python -m kd_seg_ros.benchmark --suite NAME``: the suites that need nothing but the vehicle half."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kd_seg_ros.common.command_line import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 1 for a soak that was not flat, 2 for a user's mistake."""
    text = "Measure on this machine; print a Markdown table."
    return run_command("python -m kd_seg_ros.benchmark", text, "kd_seg_ros.benchmark.command", argv)


if __name__ == "__main__":
    sys.exit(main())
