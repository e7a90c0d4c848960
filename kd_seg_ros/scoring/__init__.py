"""Replaying a bag through the running node over DDS, and scoring what it publishes."""
