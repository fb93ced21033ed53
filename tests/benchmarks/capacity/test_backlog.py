from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.capacity import backlog
from core.store import open_store

pytestmark = pytest.mark.serial  # several processes at once


def test_what_is_offered_is_stored_or_in_the_journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    open_store(url).close()
    monkeypatch.setattr(backlog, "REPLICAS", 1)  # SQLite has one writer
    found = backlog.figures(url, tmp_path, 400.0)
    assert found["stored"] > 0
    waiting = 1e6 * found["journal_mb"] / 250  # bytes of an exposure
    assert found["offered"] == pytest.approx(found["stored"] + waiting, rel=0.05)
