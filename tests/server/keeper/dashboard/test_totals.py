from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.keeper.dashboard.history import MINUTES, CountsHistory
from server.keeper.dashboard.totals import ServerCounts, point
from server.protocol import metric_files
from server.protocol.timing import BUCKETS
from tests.market import ROOT

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp()
# A worker that answers some predictions, and a keeper; their numbers stay in the files of the folder.
ANSWERING = """
import os, sys
from server.protocol import metric_files
metric_files.use()
from server.keeper.metrics import KeeperMetrics
from server.worker.metrics import Metrics
from server.worker.timings import Timings
metrics = Metrics(multiprocess=True)
for _ in range(int(sys.argv[1])):
    metrics.predictions["v1", "long"].inc()
    metrics.timings.add(Timings(1e-4, 0.0, 2e-4, 3e-4, 0.0, 4e-5))
metrics.predictions["v2", "hold"].inc(0)
metrics.count_error("OVERLOADED")
metrics.warnings[("OUT_OF_RANGE",)].inc(2)
metrics.fallbacks["v1", "v2"].inc()
metrics.abandoned.inc()
metrics.exposed["A"] += 3
metrics.in_progress.set(4)
metrics._runs.inc(5)
metrics.flush()
KeeperMetrics().refresh(degraded=False, bytes_waiting=0, workers=1)
metrics._memory.refresh()
print(os.getpid())
"""


def answering(folder: Path, count: int) -> str:
    """Run that worker; returns its process id."""
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", ANSWERING, str(count)]
    return subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def test_counts_are_the_differences_of_two_readings_and_stay_when_a_worker_ends(tmp_path: Path) -> None:
    first = answering(tmp_path, 3)
    before = ServerCounts.of(tmp_path, {first})
    assert (before.ended, before.in_progress, before.exposures) == (0, 4, 3)
    assert before.memory("worker") > before.memory("keeper") // 2 > 0
    whole = point(ServerCounts.nothing(), before)
    assert whole["answers"] == {"v1": {"long": 3}}
    assert whole["errors"] == {"OVERLOADED": 1}
    assert whole["warnings"] == {"OUT_OF_RANGE": 2}
    assert (whole["runs"], whole["fallbacks"], whole["abandoned"]) == (5, 1, 1)
    assert whole["latency"] == [3 * (end == 1e-3) for end in BUCKETS] + [0]  # 0.6 ms
    assert list(whole["phases"]) == ["parse", "features", "stage1", "encode"]
    assert whole["phases"]["stage1"]["count"] == 3
    assert abs(whole["phases"]["stage1"]["seconds"] - 9e-4) < 1e-9
    second = answering(tmp_path, 2)
    assert metric_files.merge(tmp_path, [int(first)])  # as the manager does with the files of an ended worker
    after = ServerCounts.of(tmp_path, {second})
    assert after.ended == 3
    grown = point(before, after)
    assert grown["answers"] == {"v1": {"long": 2}}
    assert sum(grown["latency"]) == 2
    assert grown["seconds"] > 0
    assert point(after, after)["latency"] == []


async def test_minutes_and_the_last_minute_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOON)
    history = CountsHistory(tmp_path)
    worker = answering(tmp_path, 7)
    monkeypatch.setattr("time.time", lambda: NOON + 59.0)
    await history.read(set())
    assert not history.minutes
    monkeypatch.setattr("time.time", lambda: NOON + 60.0)
    found, minute = await history.read({worker}, keeping=True)
    assert minute is not None
    assert (minute["at"], minute["answers"]) == ("2026-01-02T12:01:00.000Z", {"v1": {"long": 7}})
    assert [*history.minutes] == [minute]
    assert [kept for _, kept in history.recent] == [found]
    history.recent[0] = (history.recent[0][0] - 61.0, found)
    again, _ = await history.read({worker})
    assert again["answers"] == {}
    assert not history.recent
    assert history.minutes.maxlen == MINUTES


async def test_without_a_folder_nothing_is_counted() -> None:
    found, _ = await CountsHistory(None).read(set())
    assert (found["answers"], found["latency"], found["runs"]) == ({}, [], 0)
