"""From a checkpoint, or from a network of others, to the ONNX file that the vehicle runs."""
