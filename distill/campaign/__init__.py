"""The offline half of the campaign of faults: data, class maps, configurations, results."""
