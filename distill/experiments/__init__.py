"""The experiments of the thesis, and its numbers."""
