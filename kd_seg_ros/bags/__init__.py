"""Drives in rosbag2 files: reading, segmenting, showing and scoring them. No ROS install is needed."""
