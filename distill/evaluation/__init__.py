"""Scores of a network on labelled images."""
