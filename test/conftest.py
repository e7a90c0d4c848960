"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# A deadline would measure how busy the machine is.
settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")
