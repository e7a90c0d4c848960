"""Public weights of other repositories as checkpoints of this project: ``kd_seg import``."""
