from __future__ import annotations

from pathlib import Path

from tests.market import ROOT
from tools.protocol_buffers import generate


def test_the_committed_modules_are_those_of_the_description(tmp_path: Path) -> None:
    paths = generate(tmp_path)
    assert len(paths) == 2
    for path in paths:
        assert (tmp_path / path).read_text() == (ROOT / path).read_text(), "call: python -m tools.protocol_buffers"
