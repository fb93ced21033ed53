"""Keras files and fitted scalers in, proven ONNX bundles out. The only place that reads TensorFlow's files."""
