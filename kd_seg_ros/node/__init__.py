"""The ROS 2 node: camera in, class map, confidence and diagnostics out."""
