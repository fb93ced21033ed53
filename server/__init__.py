"""The HTTP service: the only place that knows HTTP. Never imports convert, onnx or TensorFlow."""
