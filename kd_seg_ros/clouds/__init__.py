"""Masks in space: clouds of labelled points, and the ground seen from above."""
