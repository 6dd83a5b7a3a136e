"""ONNX files: read into layers, one module a family of operators, written, and run in
onnxruntime."""
