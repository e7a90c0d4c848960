"""Readers of data sets: which image belongs to which labels, in which weather. NumPy only."""
