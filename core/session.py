"""How a graph is run in ONNX Runtime: one place, so that what convert proves is what the server does."""

from __future__ import annotations

import os

# ONNX Runtime would report to its makers, and looks at this once, when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort


def make(graph: bytes) -> ort.InferenceSession:
    """A session on the CPU, one thread; raises whatever ONNX Runtime does, which shares no base but Exception."""
    options = ort.SessionOptions()
    # The graphs are too small to split, and idle pools of several sessions spin against each other.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors are raised; its warnings concern optimisations nobody asked about
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
