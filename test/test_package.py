"""``colcon build`` builds the package as a ROS 2 user would, and the ament index finds what it installed."""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from setup_arguments import setup_arguments

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a copy of the tracked sources; return the install space of the package."""
    workspace = tmp_path_factory.mktemp("workspace")
    source = workspace / "src" / "kd_seg_ros"
    names = [
        *("package.xml", "setup.py", "setup.cfg", "LICENSE", "README.md"),
        *("kd_seg_ros", "distill", "launch", "config", "resource"),
    ]
    for name in names:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        source.mkdir(parents=True, exist_ok=True)
        copy(path, source / name)
    build = subprocess.run(
        [sys.executable, "-m", "colcon", "build", "--event-handlers", "console_direct+"],
        cwd=workspace,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    output = build.stdout + build.stderr
    assert build.returncode == 0, output
    assert "Failed to parse ROS package manifest" not in output, output
    return workspace / "install" / "kd_seg_ros"


def test_share_holds_launch_config_and_model(install: Path) -> None:
    share = install / "share" / "kd_seg_ros"
    for folder in ("launch", "config", "config/distill"):
        expected = sorted(p.name for p in (ROOT / folder).iterdir() if p.is_file())
        assert expected
        assert sorted(p.name for p in (share / folder).iterdir() if p.is_file()) == expected
    assert (share / "package.xml").is_file()
    assert (share / "resource" / "demo_student.onnx").is_file()
    for file in (ROOT / "resource" / "demo_drive").iterdir():
        assert (share / "resource" / "demo_drive" / file.name).read_bytes() == file.read_bytes()


def test_the_kernels_source_is_next_to_the_module_that_compiles_it(install: Path) -> None:
    folder = Path("kd_seg_ros/inference/gpu")
    site = next(install.glob("**/*-packages"))
    assert (site / folder / "kernels.cu").read_bytes() == (ROOT / folder / "kernels.cu").read_bytes()


def test_executables_are_where_ros2_run_looks(install: Path) -> None:
    for name in ("kd_seg", "segmentation_node", "play_bag", "segment_bag", "make_bag", "score_node"):
        script = install / "lib" / "kd_seg_ros" / name
        assert os.access(script, os.X_OK)
        assert script.read_text().startswith("#!/usr/bin/env python3\n")  # an active environment's


def test_ament_index_finds_the_package(install: Path) -> None:
    pytest.importorskip("ament_index_python")
    site = next(install.glob("**/*-packages"))
    code = (
        "from ament_index_python.packages import get_package_share_directory as share\n"
        "from kd_seg_ros.common.share import share_path\n"
        "print(share('kd_seg_ros'))\n"
        "print(share_path('launch/segment.launch.py'))\n"
        "from distill.config.shipped import find_config\n"
        "from distill.experiments.thesis import find_experiment\n"
        "print(find_config('j_rn18_cwd_border'))\n"
        "print(find_experiment('J').per_class('4.7')['rider'])\n"
    )
    prefixes = [str(install), *filter(None, [os.environ.get("AMENT_PREFIX_PATH")])]
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"AMENT_PREFIX_PATH": ":".join(prefixes), "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
        cwd=install,
    ).stdout.split("\n")
    assert found[0] == str(install / "share" / "kd_seg_ros")
    assert found[1] == str(install / "share" / "kd_seg_ros" / "launch" / "segment.launch.py")
    assert found[2] == str(install / "share" / "kd_seg_ros" / "config" / "distill" / "j_rn18_cwd_border.yaml")
    assert found[3] == "34.3"


def test_manifest_names_every_ros_package_that_is_imported() -> None:
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    depends = {element.text for element in manifest.iter("exec_depend")}
    sources = "\n".join(
        path.read_text() for folder in ("kd_seg_ros", "launch") for path in (ROOT / folder).rglob("*.py")
    )
    ros = {
        *("rclpy", "sensor_msgs", "std_msgs", "std_srvs", "diagnostic_msgs", "vision_msgs", "rosgraph_msgs"),
        *("rcl_interfaces", "builtin_interfaces", "ament_index_python", "cv_bridge", "launch", "launch_ros"),
    }
    imported = {name for name in ros if f"import {name}" in sources or f"from {name}" in sources}
    assert imported <= depends
    keys = {"python3-numpy", "python3-opencv", "python3-onnxruntime-gpu-pip", "tf2_ros_py"}
    assert keys <= depends
    assert manifest.get("format") == "3"


def test_versions_agree() -> None:
    from kd_seg_ros import __version__

    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    assert manifest.findtext("version") == __version__
    assert f'version="{__version__}"' in (ROOT / "setup.py").read_text()
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == __version__


@pytest.mark.parametrize(
    ("chosen", "needs"),
    [
        ("cpu", ["onnxruntime>=1.23.2"]),
        ("gpu", ["onnxruntime-gpu>=1.23.2"]),
        ("openvino", ["onnxruntime-openvino>=1.23"]),
    ],
)
def test_the_build_of_onnx_runtime_can_be_chosen(
    chosen: str, needs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KD_SEG_ONNXRUNTIME", chosen)
    required = setup_arguments(monkeypatch)["install_requires"]
    assert [line for line in required if line.startswith("onnxruntime")] == needs


def test_every_machine_gets_one_build_of_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """That for GPUs where PyPI has it, so that a vehicle's `pip install .` brings it."""
    monkeypatch.delenv("KD_SEG_ONNXRUNTIME", raising=False)
    required = [Requirement(line) for line in setup_arguments(monkeypatch)["install_requires"]]
    runtimes = [requirement for requirement in required if requirement.name.startswith("onnxruntime")]
    machines = {
        ("x86_64", "linux"): "onnxruntime-gpu",
        ("aarch64", "linux"): "onnxruntime",
        ("arm64", "darwin"): "onnxruntime",
        ("AMD64", "win32"): "onnxruntime",
    }
    for (processor, system), name in machines.items():
        machine = {"platform_machine": processor, "sys_platform": system}
        assert [r.name for r in runtimes if r.marker and r.marker.evaluate(machine)] == [name]


def test_an_unknown_build_of_onnx_runtime_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_SEG_ONNXRUNTIME", "rocm")
    with pytest.raises(SystemExit, match="KD_SEG_ONNXRUNTIME=rocm: must be cpu, gpu or openvino"):
        setup_arguments(monkeypatch)


def test_scripts_of_a_symlink_install_start_in_the_active_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``colcon build --symlink-install`` runs ``setup.py develop`` with the Python that runs colcon."""
    for name in ("setup.py", "setup.cfg", "README.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "kd_seg_ros" / "common", tmp_path / "kd_seg_ros" / "common")
    site = tmp_path / "site"
    site.mkdir()
    command = [sys.executable, "setup.py", "--quiet", "develop", "--no-deps"]
    command += ["--install-dir", str(site), "--script-dir", str(tmp_path / "scripts")]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    if "invalid command" in done.stderr or "--script-dir" in done.stderr:
        pytest.skip("a setuptools without this command, which colcon does not use")
    assert done.returncode == 0, done.stderr
    scripts = sorted((tmp_path / "scripts").iterdir())
    entries = setup_arguments(monkeypatch)["entry_points"]["console_scripts"]
    assert [script.name for script in scripts] == sorted(entry.partition(" =")[0] for entry in entries)
    for script in scripts:
        assert script.read_text().startswith("#!/usr/bin/env python3\n"), script.name


def test_tests_start_where_ros_is_sourced(tmp_path: Path) -> None:
    """There pytest finds the plugin of launch_testing; recent releases of pytest refuse to load it."""
    information = tmp_path / "launch_testing-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: launch_testing\nVersion: 1.0\n")
    plugins = ["launch_testing = refused", "launch_ros = refused", "launch_pytest = refused"]
    (information / "entry_points.txt").write_text("\n".join(["[pytest11]", *plugins]) + "\n")
    (tmp_path / "refused.py").write_text("raise RuntimeError('loaded all the same')\n")
    command = [sys.executable, "-m", "pytest", "--collect-only", "test/test_structure.py"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_of_pypi_is_known_to_rosdep_or_named() -> None:
    """What rosdep cannot install is said in the manifest, for whoever reads only that."""
    assert "pip install rosbags" in (ROOT / "package.xml").read_text()
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    assert {element.text for element in manifest.iter("test_depend")} >= {"python3-pytest"}
    maintainer = manifest.find("maintainer")
    assert maintainer is not None
    setup = (ROOT / "setup.py").read_text()
    assert f'maintainer="{maintainer.text}"' in setup
    assert f'maintainer_email="{maintainer.get("email")}"' in setup
