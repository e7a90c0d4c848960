"""Malformed inputs from a seed, for tests and for a campaign of faults: a named case per kind of fault."""
