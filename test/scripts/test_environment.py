"""environment.sh with a stand-in for Python, which makes folders instead of environments."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from setup_arguments import setup_arguments
from stand_in_python import checkout_in, stand_in


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return checkout_in(tmp_path)


def use_environment(
    checkout: Path, python: Path, profile: str = "test", build: str = "cpu", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the function.

    :param build: KD_SEG_ONNXRUNTIME, so that the tests do not depend on this machine's GPU.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ROS_", "AMENT_"))}
    return subprocess.run(
        ["bash", "-c", f"source scripts/environment.sh && use_environment {profile} && echo $PYTHON"],
        cwd=checkout,
        env=environment | {"KD_SEG_PYTHON": str(python), "KD_SEG_ONNXRUNTIME": build} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_made_once_and_reused(checkout: Path, tmp_path: Path) -> None:
    python = stand_in(tmp_path, "/usr 3.11.2")
    first = use_environment(checkout, python)
    assert first.returncode == 0, first.stderr
    assert first.stdout.strip() == str(checkout / ".venv/bin/python")
    (checkout / ".venv/mark").touch()
    second = use_environment(checkout, python)
    assert "using the environment" in second.stderr
    assert (checkout / ".venv/mark").exists()


def test_that_of_another_python_is_replaced(checkout: Path, tmp_path: Path) -> None:
    assert use_environment(checkout, stand_in(tmp_path, "/usr 3.11.2")).returncode == 0
    (checkout / ".venv/mark").touch()
    other = use_environment(checkout, stand_in(tmp_path, "/opt/python 3.11.7"))
    assert other.returncode == 0, other.stderr
    assert "belongs to another Python (/usr 3.11.2)" in other.stderr
    assert not (checkout / ".venv/mark").exists()
    assert (checkout / ".venv/pip").read_text().count("install") == 2


def test_one_whose_python_does_not_start_is_replaced(checkout: Path, tmp_path: Path) -> None:
    python = stand_in(tmp_path, "/usr 3.11.2")
    assert use_environment(checkout, python).returncode == 0
    (checkout / ".venv/bin/python").unlink()
    again = use_environment(checkout, python)
    assert again.returncode == 0, again.stderr
    assert "its Python no longer works" in again.stderr


def installed(checkout: Path) -> list[str]:
    """What pip was asked to install, apart from itself: build of ONNX Runtime and extras."""
    lines = (checkout / ".venv/pip").read_text().splitlines()
    return [f"{line[14:17]} {line.rpartition(' ')[2]}" for line in lines if " -e " in line]


@pytest.mark.parametrize(
    ("made", "wanted", "serves"),
    [
        ("test", "light", True),
        ("test", "full", True),
        ("full", "light", True),
        ("light", "full", False),
        ("full", "test", False),
    ],
)
def test_a_larger_environment_serves_a_smaller_one(
    checkout: Path, tmp_path: Path, made: str, wanted: str, serves: bool
) -> None:
    python = stand_in(tmp_path, "/usr 3.11.2")
    assert use_environment(checkout, python, made).returncode == 0
    assert use_environment(checkout, python, wanted).returncode == 0
    assert len(installed(checkout)) == (1 if serves else 2)


def test_a_light_environment_has_no_pytorch(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = use_environment(checkout, stand_in(tmp_path, "/usr 3.11.2"), "light")
    assert "under 1 GB" in done.stderr
    assert "PyTorch" not in done.stderr
    assert installed(checkout) == ["cpu .[demo,ros]"]
    needs = " ".join(setup_arguments(monkeypatch)["extras_require"]["demo"])
    assert "jinja2" in needs
    assert "torch" not in needs


def test_an_unknown_profile_is_refused(checkout: Path, tmp_path: Path) -> None:
    refused = use_environment(checkout, stand_in(tmp_path, "/usr 3.11.2"), "demo")
    assert refused.returncode == 2
    assert "no environment 'demo': light, full or test" in refused.stderr


def test_a_gpu_brings_the_gpu_build(checkout: Path, tmp_path: Path) -> None:
    python = stand_in(tmp_path, "/usr 3.11.2")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, answer in (("nvidia-smi", "GPU 0: NVIDIA H200 (UUID: GPU-1)"), ("uname", "Linux x86_64")):
        (tools / name).write_text(f"#!/bin/sh\necho '{answer}'\n")
        (tools / name).chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    assert use_environment(checkout, python, "light", "", PATH=path).returncode == 0
    assert installed(checkout) == ["gpu .[demo,ros]"]
    (tools / "uname").write_text("#!/bin/sh\necho Linux aarch64\n")  # PyPI has none for it
    assert use_environment(checkout, python, "light", "", PATH=path).returncode == 0
    assert installed(checkout)[1:] == ["cpu .[demo,ros]"]


def distribution(checkout: Path, name: str) -> Path:
    """Make it look as if a distribution were installed."""
    folder = checkout / f".venv/lib/python3.11/site-packages/{name}-1.30.0.dist-info"
    folder.mkdir(parents=True)
    return folder


def test_the_other_build_of_onnx_runtime_goes_first(checkout: Path, tmp_path: Path) -> None:
    """Installed over each other, they leave a mixture of both."""
    python = stand_in(tmp_path, "/usr 3.11.2")
    assert use_environment(checkout, python, "light").returncode == 0
    distribution(checkout, "onnxruntime")
    assert use_environment(checkout, python, "light", "gpu").returncode == 0
    last = (checkout / ".venv/pip").read_text().splitlines()[-2:]
    assert "uninstall --quiet --yes onnxruntime onnxruntime-gpu onnxruntime-openvino" in last[0]
    assert last[1].startswith("ONNX Runtime: gpu")


@pytest.mark.parametrize("build", ["gpu", "openvino"])
def test_a_build_that_is_there_is_kept(checkout: Path, tmp_path: Path, build: str) -> None:
    """It runs on the CPU as well."""
    python = stand_in(tmp_path, "/usr 3.11.2")
    assert use_environment(checkout, python, "light", build).returncode == 0
    distribution(checkout, f"onnxruntime_{build}")
    again = use_environment(checkout, python, "light", "")
    assert "using the environment" in again.stderr
    assert len(installed(checkout)) == 1


def test_an_unknown_build_is_refused(checkout: Path, tmp_path: Path) -> None:
    refused = use_environment(checkout, stand_in(tmp_path, "/usr 3.11.2"), "light", "cuda")
    assert refused.returncode == 2
    assert refused.stderr.strip() == "error: KD_SEG_ONNXRUNTIME=cuda: must be cpu, gpu or openvino"


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/thesis.txt").touch()
    refused = use_environment(checkout, stand_in(tmp_path, "/usr 3.11.2"))
    assert refused.returncode == 2
    assert ".venv is not a Python environment" in refused.stderr
    assert (checkout / ".venv/thesis.txt").exists()
