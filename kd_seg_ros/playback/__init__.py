"""Publishing a rosbag2 in time: one idea a file, put together in :mod:`kd_seg_ros.playback.play_bag`."""
