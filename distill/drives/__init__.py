"""Scores of recorded drives, and of the running node."""
