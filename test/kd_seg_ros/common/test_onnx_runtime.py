from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kd_seg_ros.common import onnx_runtime
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import TELEMETRY_VARIABLE, choose_telemetry

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
    """Use ONNX Runtime in a new process; return its variable, and the files that it left at home."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "CI"))}
    code = (
        "import os, sys; from kd_seg_ros.common.onnx_runtime import ort; "
        "assert 'onnxruntime' not in sys.modules; ort.InferenceSession; "
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = plain | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    return done.stdout.decode().strip(), list(home.rglob("*"))


def test_telemetry_is_off_and_nothing_is_stored_at_home(tmp_path: Path) -> None:
    assert after_import(tmp_path) == ("1", [])


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_users_own_choice_stays(tmp_path: Path, value: str) -> None:
    assert after_import(tmp_path, ORT_DISABLE_TELEMETRY=value, ORT_RUNNING_UNIT_TESTS="1")[0] == value


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Stand in for a process that has not used ONNX Runtime yet, and has no variable."""
    monkeypatch.setattr(onnx_runtime, "_package", onnx_runtime._ImportedWhenUsed())
    monkeypatch.setenv(TELEMETRY_VARIABLE, "x")
    monkeypatch.delenv(TELEMETRY_VARIABLE)
    return monkeypatch


def test_telemetry_is_switched_on_before_the_import_where_it_is_asked_for(fresh: pytest.MonkeyPatch) -> None:
    choose_telemetry(False)
    assert TELEMETRY_VARIABLE not in os.environ
    choose_telemetry(True)
    assert os.environ[TELEMETRY_VARIABLE] == "0"
    assert onnx_runtime._package.InferenceSession
    assert os.environ[TELEMETRY_VARIABLE] == "0"
    choose_telemetry(True)
    choose_telemetry(False)  # the default of the parameter, which is no answer to a user's own variable
    assert os.environ[TELEMETRY_VARIABLE] == "0"


def test_telemetry_cannot_be_switched_on_after_the_import(fresh: pytest.MonkeyPatch) -> None:
    assert onnx_runtime._package.InferenceSession
    assert os.environ[TELEMETRY_VARIABLE] == "1"
    with pytest.raises(UserError, match=r"onnxruntime_telemetry: .* start the node again"):
        choose_telemetry(True)
