"""From one request's input to a decision: ONNX sessions, stages, the gate, warnings."""
