"""Source distribution and wheel: whole, and usable where there is no checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("kd_seg_ros", "distill", "launch", "config", "resource", "constraints", "docs", "scripts", "test")
BUILD = """
import os, sys, tarfile
from setuptools import build_meta
folder = sys.argv[1]  # setuptools changes sys.argv
made = build_meta.build_sdist(folder)
with tarfile.open(os.path.join(folder, made)) as archive:
    archive.extractall(folder)
os.chdir(os.path.join(folder, made.removesuffix(".tar.gz")))
build_meta.build_wheel(folder)
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution of a copy of this checkout, and the wheel that is made of it."""
    source = tmp_path_factory.mktemp("source")
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    for file in ROOT.iterdir():
        if file.is_file() and file.name != ".git":
            shutil.copyfile(file, source / file.name)
    folder = tmp_path_factory.mktemp("dist")
    environment = {name: value for name, value in os.environ.items() if name != "KD_SEG_ONNXRUNTIME"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, str(folder)],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def files_in(*folders: str) -> set[str]:
    """The files of the checkout's folders, with their paths below it."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    kept = [path for path in found if "__pycache__" not in path.parts and path.suffix != ".pyc"]
    return {path.relative_to(ROOT).as_posix() for path in kept}


def test_the_source_distribution_holds_what_the_readmes_commands_need(dist: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    assert files_in(*FOLDERS) - names == set()
    assert {"LICENSE", "README.md", "CITATION.cff", "SECURITY.md", "package.xml", "pyproject.toml"} <= names


def test_the_wheel_holds_every_file_of_both_halves(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
        information = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = content.read(information).decode()
    assert files_in("kd_seg_ros", "distill") - names == set()
    share = f"{information.partition('.dist-info')[0]}.data/data/share/kd_seg_ros"
    for file in files_in("launch", "config", "resource") - {"resource/kd_seg_ros"}:
        assert f"{share}/{file}" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith(("test/", "scripts/", "docs/")) for name in names)
    assert 'onnxruntime-gpu>=1.23.2; platform_machine == "x86_64"' in metadata
    assert "# kd_seg_ros" in metadata


def test_the_wheel_works_in_an_environment_of_its_own(dist: Path, tmp_path: Path) -> None:
    """Its dependencies are those of this Python; the checkout is nowhere on the path."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin/python"
    site = next(environment.glob("lib/python*/site-packages"))
    folders = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "dependencies.pth").write_text("\n".join(folders) + "\n")
    (wheel,) = dist.glob("*.whl")
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: object) -> str:
        done = subprocess.run(
            list(map(str, command)), cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # Unlike `pip install`, the module leaves pip's checks of other packages out.
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--ignore-installed"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel)
    drive = environment / "share/kd_seg_ros/resource/demo_drive"
    found = run(
        *(environment / "bin/kd_seg", "predict", drive),
        *("--limit", 1, "--provider", "cpu", "--out", "masks", "--json"),
    )
    assert json.loads(found)["frames"] == 1
    (mask,) = (tmp_path / "masks/mask").glob("*.png")
    pixels = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels.shape == (288, 512)
    assert Path(run(python, "-c", "import distill; print(distill.__file__)")).is_relative_to(environment)
