"""Train the reference detectors: data, labels, windows, fit, scores, files."""

import os

# TensorFlow reads these variables when it is first imported. Level 3 hides an error of its graph optimiser that it logs
# and then ignores; real failures are raised. oneDNN picks kernels by processor, each with its own rounding, and logs
# that at every startup. Without oneDNN, results of different machines can be compared.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
