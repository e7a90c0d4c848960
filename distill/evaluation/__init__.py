"""Scores of a trained network on labelled images: how they are computed, stored, read back and compared."""
