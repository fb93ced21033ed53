"""ONNX Runtime sessions. convert tests graphs with the same options that the server runs them with."""

from __future__ import annotations

import hashlib
import os
from weakref import WeakValueDictionary

# This turns off telemetry. ONNX Runtime reads the variable once, during its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

from core import yielding

# Without any, ONNX Runtime makes new ones for each run.
RUN_OPTIONS = ort.RunOptions()

_alive: WeakValueDictionary[bytes, ort.InferenceSession] = WeakValueDictionary()


def options() -> ort.SessionOptions:
    """Return session options: one thread, and no memory arena (docs/decisions/0010-graphs.md)."""
    chosen = ort.SessionOptions()
    # The graphs are too small for several threads, and idle thread pools of several sessions would compete for the CPU.
    chosen.intra_op_num_threads = 1
    chosen.inter_op_num_threads = 1
    # Each session would have its own arena, which never shrinks after a large batch. malloc is just as fast.
    chosen.enable_cpu_mem_arena = False
    chosen.enable_mem_pattern = False
    # Without this, ONNX Runtime also loads files in its own format, which core/bundles/onnx_file.py does not check.
    chosen.add_session_config_entry("session.load_model_format", "ONNX")
    chosen.log_severity_level = 3  # errors are raised as exceptions; warnings are about optimisations only
    return chosen


def make(graph: bytes) -> ort.InferenceSession:
    """Return a session on the CPU for this graph.

    The same graph gives the same session as long as it is in use, because versions share scalers and stages. Raises
    ONNX Runtime's exceptions; their only common base class is Exception.
    """
    yielding.give_way()
    digest = hashlib.sha256(graph).digest()
    found = _alive.get(digest)
    if found is None:
        found = _alive[digest] = ort.InferenceSession(graph, options(), providers=["CPUExecutionProvider"])
    return found
