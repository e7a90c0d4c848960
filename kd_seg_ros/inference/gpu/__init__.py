"""The work before and after the network in CUDA kernels, where the engine runs on an NVIDIA GPU."""
