"""The HTTP service: the only package that knows HTTP. It never imports convert, onnx or TensorFlow."""
