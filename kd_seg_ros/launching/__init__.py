"""What the launch files start, and the list of cameras that one of them reads."""
