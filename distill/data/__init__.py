"""From labelled files to the batches of training."""
