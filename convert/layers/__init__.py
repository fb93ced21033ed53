"""The writing of ONNX from layers (docs/decisions/0001-onnx-from-layers.md): a Keras model in, a graph out."""
