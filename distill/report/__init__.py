"""The report on evaluated runs: one HTML page that compares them, with its plots in a folder next to it."""
