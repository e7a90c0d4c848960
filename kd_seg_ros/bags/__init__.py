"""Drives in rosbag2 files: making, reading, segmenting and showing them. No ROS install is needed."""
