"""The command's output: within 80 columns, in a pipe and on a terminal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convert import console
from convert.stage import Report

REPORT = Report(
    parameters=12_345_678,
    model_bytes=140_000_000,
    graph_bytes=70_000_000,
    nodes={f"Operator{i}": i for i in range(20)},
    max_difference=1.234e-7,
    framework="tf_keras 2.21.0",
    framework_seconds=1.2345,
    onnx_seconds=0.123,
    notes=["scaler.pkl was written by scikit-learn 0.24.2", "a note " + "of many words " * 20],
)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", ["v1", "v" * 64, "a-detector.with-a-long_name.2024-05-06"])
def test_output_fits_80_columns_and_names_stay_whole(
    name: str, *, terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("TERM", "dumb")
    bundle: Any = SimpleNamespace(manifest=SimpleNamespace(version=name), reports={"stage1": REPORT, "stage2": REPORT})
    console.show([bundle], Path("models/onnx"), [name])
    lines = capsys.readouterr().out.splitlines()
    long = [line for line in lines if len(line) > 80]
    assert all(line.startswith(("curl ", "A server that starts")) for line in long), long
    table = "\n".join(lines[: lines.index(next(line for line in lines if line.startswith(name)))])
    for figure in ("12,345,678", "134 → 67 MiB", "1.2e-07", "1.23 s", "123.0 ms", "190"):
        assert figure in table, figure
    rows = [line for line in table.splitlines() if line.strip()][3:]
    folded = "".join(line[: line.index("12,345,678")] if "12,345,678" in line else line for line in rows)
    assert min(line.index("12,345,678") for line in rows if "12,345,678" in line) >= 12
    assert folded.replace(" ", "").count(name) == 2, table
    assert "  scaler.pkl was written by scikit-learn 0.24.2" in lines
