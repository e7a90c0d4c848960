"""The machine that figures were measured on, for the line below a table."""

from __future__ import annotations

import os
import platform
import subprocess

import cv2
import numpy as np

from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.common.processor import processor


def machine(*more: str) -> str:
    """Name processor, GPU and versions; ``more`` comes after them."""
    gpu = nvidia_gpu()
    parts = [
        f"{processor()} ({cores()} cores)",
        *([gpu] if gpu else []),
        f"Python {platform.python_version()}",
        f"NumPy {np.__version__}",
        f"OpenCV {cv2.__version__}",
        f"ONNX Runtime {ort.__version__}",
        *more,
    ]
    return ", ".join(parts)


def cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def nvidia_gpu() -> str:
    """Name the first NVIDIA GPU and its driver; empty without one."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    name, _, driver = done.stdout.partition("\n")[0].partition(", ")
    return f"{name} (driver {driver})" if done.returncode == 0 and name else ""
