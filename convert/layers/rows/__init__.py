"""The rows of the table: each module has the ONNX nodes of one kind of layer."""
