"""From the input of a request to a decision: ONNX sessions, stages, the gate, and warnings."""
