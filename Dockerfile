# syntax=docker/dockerfile:1
# The images; docs/containers.md shows how to build and run them.
#   docker build --target vehicle .     ROS 2 and the nodes, on NVIDIA GPUs (or --build-arg EXTRAS= --build-arg ONNXRUNTIME=cpu)
#   docker build --target offline .     PyTorch: training, calibration, export, evaluation
#   docker build --target tests .       scripts/test.sh; `development` is the same without an environment
ARG ROS_DISTRO=jazzy
ARG PYTHON=3.11

# ---------------------------------------------------------------------------------------------------- vehicle
FROM ros:${ROS_DISTRO}-ros-base AS vehicle
ARG ROS_DISTRO
# gpu brings CUDA and cuDNN from PyPI; the driver is the host's (NVIDIA Container Toolkit).
ARG EXTRAS=[gpu]
ARG ONNXRUNTIME=gpu
ARG UID=1000
ARG GID=1000
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# What rosdep knows, from the manifest alone, so that a change of the sources does not install it again.
COPY package.xml /tmp/manifest/kd_seg_ros/package.xml
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rosdep update --rosdistro "${ROS_DISTRO}" \
    && rosdep install --from-paths /tmp/manifest --ignore-src --default-yes --dependency-types exec \
        --skip-keys python3-onnxruntime-gpu-pip \
    && rm -rf /var/lib/apt/lists/* /tmp/manifest

COPY . /ws/src/kd_seg_ros
WORKDIR /ws
# As on a ROS 2 machine, see the README: apt's packages, and next to them what only PyPI has.
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m venv --system-site-packages .venv \
    && KD_SEG_ONNXRUNTIME="${ONNXRUNTIME}" PIP_CACHE_DIR=/var/cache/pip .venv/bin/pip install \
        -c "src/kd_seg_ros/constraints/${ROS_DISTRO}.txt" "./src/kd_seg_ros${EXTRAS}" \
    && source "/opt/ros/${ROS_DISTRO}/setup.bash" \
    && colcon build --packages-select kd_seg_ros \
    && rm -rf build log src/kd_seg_ros/build

# Fast DDS hands large images over in /dev/shm: only processes of one user can open each other's memory.
RUN { userdel --remove ubuntu 2>/dev/null || true; } \
    && { groupadd --gid "${GID}" ros 2>/dev/null || true; } \
    && useradd --uid "${UID}" --gid "${GID}" --groups video --create-home ros
ENV ROS_DISTRO=${ROS_DISTRO} \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    FASTDDS_DEFAULT_PROFILES_FILE=/ws/install/kd_seg_ros/share/kd_seg_ros/config/fastdds_large_images.xml \
    FASTRTPS_DEFAULT_PROFILES_FILE=/ws/install/kd_seg_ros/share/kd_seg_ros/config/fastdds_large_images.xml
COPY --chmod=755 docker/entrypoint.sh /entrypoint.sh
USER ${UID}:${GID}
WORKDIR /home/ros
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "kd_seg_ros", "segment.launch.py"]

# ---------------------------------------------------------------------------------------------------- offline
FROM python:${PYTHON}-slim-bookworm AS offline
# PyTorch's own CUDA serves ONNX Runtime, too.
ARG ONNXRUNTIME=gpu
ARG UID=1000
ARG GID=1000
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /opt/kd_seg_ros
COPY . .
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/var/cache/pip \
    KD_SEG_ONNXRUNTIME="${ONNXRUNTIME}" PIP_CACHE_DIR=/var/cache/pip pip install '.[distill,pretrained,demo,huggingface]' && rm -rf build
RUN { groupadd --gid "${GID}" kd_seg 2>/dev/null || true; } \
    && useradd --uid "${UID}" --gid "${GID}" --create-home kd_seg \
    && install --directory --owner "${UID}" --group "${GID}" /srv/kd_seg
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER ${UID}:${GID}
WORKDIR /srv/kd_seg
CMD ["kd_seg", "--help"]

# ----------------------------------------------------------------------------------------- development and tests
FROM python:${PYTHON}-slim-bookworm AS development
ARG UID=1000
ARG GID=1000
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# g++ compiles the GPU's kernels for the host, make a package of messages, both for tests.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ git make \
    && rm -rf /var/lib/apt/lists/*
RUN { groupadd --gid "${GID}" kd_seg 2>/dev/null || true; } \
    && useradd --uid "${UID}" --gid "${GID}" --create-home kd_seg \
    && install --directory --owner "${UID}" --group "${GID}" /checkout
ENV KD_SEG_ONNXRUNTIME=cpu
USER ${UID}:${GID}
WORKDIR /checkout

FROM development AS tests
ARG UID=1000
ARG GID=1000
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY --chown=${UID}:${GID} . .
RUN --mount=type=cache,target=/home/kd_seg/.cache/pip,uid=${UID},gid=${GID} \
    source scripts/environment.sh && use_environment test
CMD ["scripts/test.sh"]
