"""What ``kd_seg benchmark`` measures."""
