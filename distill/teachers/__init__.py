"""Teachers from outside: Hugging Face transformers and ONNX files."""
