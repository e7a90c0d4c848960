"""What every room of the offline half uses."""
