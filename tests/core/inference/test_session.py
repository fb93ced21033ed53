from __future__ import annotations

import gc
import weakref
from pathlib import Path

import onnxruntime as ort
import pytest

from core.inference import session
from tests import bundles


def test_equal_graphs_share_one_session() -> None:
    first = session.make(bundles.network(4, 2))
    assert session.make(bundles.network(4, 2)) is first
    assert session.make(bundles.network(5, 2)) is not first


def test_an_unused_session_is_freed() -> None:
    found = weakref.ref(session.make(bundles.network(4, 3)))
    gc.collect()
    assert found() is None


def test_a_file_in_onnx_runtime_s_own_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "graph.ort"
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(file)
    options.log_severity_level = 3
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(bundles.network(4, 2), options, providers=["CPUExecutionProvider"])
    assert ort.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    with pytest.raises(Exception, match="INVALID_PROTOBUF"):
        session.make(file.read_bytes())
