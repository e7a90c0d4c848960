"""Small tools for all rooms of the offline half: class names and colours, pictures, processes, files."""
