"""Trains the reference detectors: data, labels, windows, fit, scores, files."""

import os

# TensorFlow reads these when it is first imported. 3, because it logs an error of its graph optimiser that it then
# ignores; what does fail is raised. oneDNN picks kernels by processor, each with its own rounding, and says so on
# every start; without it a rerun is comparable between machines.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
