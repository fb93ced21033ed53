"""What a person changes on the page, in a real browser: versions, and an experiment from its plan to its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.market import ONNX
from tests.processes import Server, serving

ACT = "act-token-of-the-tests"
SIGNED = {"Authorization": f"Bearer {ACT}"}


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def server(audit: Path) -> Iterator[Server]:
    with serving(
        "--models", str(ONNX), REVERSAL_WORKERS="2", REVERSAL_ADMIN_TOKEN=f"alice:{ACT}", REVERSAL_AUDIT=str(audit)
    ) as server:
        yield server
