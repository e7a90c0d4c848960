"""Readers of data sets: which image belongs to which labels, and in which weather. Needs no PyTorch."""
