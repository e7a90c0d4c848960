"""Several cameras in one process that share a network."""
