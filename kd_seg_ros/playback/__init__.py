"""Publishing a rosbag2 in time: one idea per file, put together in :mod:`kd_seg_ros.playback.play_bag`."""
