from __future__ import annotations

import pytest

from benchmarks.profile import part, shares


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("Session.run (onnxruntime/capi/onnxruntime_inference_collection.py:406)", "ONNX Runtime"),
        ("decode (server/http/bodies/json_decoding.py:49)", "JSON"),
        ("series (server/api/candle_forms.py:131)", "JSON to arrays"),
        ("Table.__call__ (core/features/table.py:51)", "features"),
        ("Detector._probabilities (core/inference/detector.py:159)", "choosing"),
        ("_Parser.feed_data (server/worker/fast_path/connection.py:75)", "HTTP"),
        ("GunicornWebWorker.run (aiohttp/worker.py:73)", "HTTP"),
        ("<lambda> (<string>:1)", "the rest"),
    ],
)
def test_each_function_belongs_to_a_part(frame: str, expected: str) -> None:
    assert part(frame).startswith(expected)


def test_a_sample_counts_for_the_innermost_function() -> None:
    samples = "a (core/inference/detector.py:1);b (onnxruntime/x.py:2) 3\na (core/inference/detector.py:1) 1\n"
    assert shares(samples) == {
        "ONNX Runtime: both networks, and scalers": 0.75,
        "choosing, batching, deciding, recording": 0.25,
    }
