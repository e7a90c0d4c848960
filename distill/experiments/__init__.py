"""The experiments of the thesis, its results with ours next to them, and a smoke test of all of them."""
