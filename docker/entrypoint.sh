#!/bin/bash
# Starts a command in the vehicle image with ROS 2, the package and its Python environment.
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ws/install/setup.bash
source /ws/.venv/bin/activate
exec "$@"
