"""From labelled images to the batches of training: augmentation, border weights, mixtures, statistics."""
