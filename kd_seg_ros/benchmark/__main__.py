"""``python -m kd_seg_ros.benchmark --suite NAME``: the vehicle's own benchmarks, see :mod:`.command`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kd_seg_ros.common.command_line import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return run_command("python -m kd_seg_ros.benchmark", "", "kd_seg_ros.benchmark.command", argv)


if __name__ == "__main__":
    sys.exit(main())
