"""How a graph is run in ONNX Runtime: one place, so that what convert proves is what the server does."""

from __future__ import annotations

import hashlib
import os
from weakref import WeakValueDictionary

# ONNX Runtime would report to its makers, and looks at this once, when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

from core import yielding

_alive: WeakValueDictionary[bytes, ort.InferenceSession] = WeakValueDictionary()


def options() -> ort.SessionOptions:
    """One thread, and no memory kept for the largest batch there ever was (docs/decisions/0010-graphs.md)."""
    chosen = ort.SessionOptions()
    # The graphs are too small to split, and idle pools of several sessions spin against each other.
    chosen.intra_op_num_threads = 1
    chosen.inter_op_num_threads = 1
    # Each session would have an arena of its own, which only grows; malloc is as fast.
    chosen.enable_cpu_mem_arena = False
    chosen.enable_mem_pattern = False
    chosen.log_severity_level = 3  # errors are raised; its warnings concern optimisations nobody asked about
    return chosen


def make(graph: bytes) -> ort.InferenceSession:
    """A session on the CPU, the same one for the same graph while anybody holds it: versions share scalers and stages.

    Raises whatever ONNX Runtime does, which shares no base but Exception.
    """
    yielding.give_way()
    digest = hashlib.sha256(graph).digest()
    found = _alive.get(digest)
    if found is None:
        found = _alive[digest] = ort.InferenceSession(graph, options(), providers=["CPUExecutionProvider"])
    return found
