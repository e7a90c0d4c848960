"""The offline half of the campaign of faults: data trees, class maps, configurations, checkpoints, results."""
