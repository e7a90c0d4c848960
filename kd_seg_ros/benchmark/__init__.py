"""``python -m kd_seg_ros.benchmark``: what the node costs, and whether it keeps its promises under load."""
