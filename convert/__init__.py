"""Convert Keras files and fitted scalers to proven ONNX bundles. The only package that reads TensorFlow's files."""
