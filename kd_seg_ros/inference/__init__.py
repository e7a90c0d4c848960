"""From a model file to class map and confidence: ONNX Runtime and NumPy. No ROS in here."""
