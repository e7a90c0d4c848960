"""Segmenting images, videos, cameras and bags without ROS: sources, results, a window."""
