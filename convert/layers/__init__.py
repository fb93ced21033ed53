"""Write ONNX from Keras layers (docs/decisions/0001-onnx-from-layers.md): from a Keras model to a graph."""
