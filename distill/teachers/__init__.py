"""Frozen teachers: checkpoints of this project, Hugging Face transformers and ONNX files."""
