"""A campaign of faults: malformed inputs through the program's own entries, counted by outcome."""
