"""Fitted scikit-learn scalers as ONNX graphs."""
