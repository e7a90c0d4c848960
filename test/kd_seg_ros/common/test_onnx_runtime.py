from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [
    path
    for folder in ("kd_seg_ros", "distill", "scripts", "launch")
    for path in (ROOT / folder).rglob("*.py")
]


def test_one_module_imports_onnx_runtime() -> None:
    """All others would switch its telemetry on if they came first."""
    found = []
    for path in SOURCES:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip().startswith(("import onnxruntime", "from onnxruntime")):
                found.append(str(path.relative_to(ROOT)))
    assert found == ["kd_seg_ros/common/onnx_runtime.py"]


def after_import(home: Path, **variables: str) -> tuple[str, list[Path]]:
    """Import ONNX Runtime in a new process; return its variable, and the files that it left at home."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "CI"))}
    code = "import os, kd_seg_ros.common.onnx_runtime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = plain | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    return done.stdout.decode().strip(), list(home.rglob("*"))


def test_telemetry_is_off_and_nothing_is_stored_at_home(tmp_path: Path) -> None:
    assert after_import(tmp_path) == ("1", [])


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_users_own_choice_stays(tmp_path: Path, value: str) -> None:
    assert after_import(tmp_path, ORT_DISABLE_TELEMETRY=value, ORT_RUNNING_UNIT_TESTS="1")[0] == value
