"""From a checkpoint to the ONNX file of the vehicle."""
