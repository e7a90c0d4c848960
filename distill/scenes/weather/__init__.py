"""Light and weather: from the drawn scene to radiance."""
