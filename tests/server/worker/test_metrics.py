from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from core.inference.warnings import CODES
from core.version import VERSION
from server.http.errors import STATUS
from server.http.log_throttle import Throttle
from server.settings import Settings
from server.worker import app
from server.worker.metrics import Metrics
from server.worker.timings import Timings
from tests.core.journals import samples
from tests.market import ROOT
from tests.server.client import Client
from tests.server.questions import asks, candles
from tests.server.worker_fixture import Worker, experiment, running


@pytest.fixture
async def worker(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    async with running(settings, aiohttp_client) as made:
        await made.serve(None)
        yield made


def series(metrics: Metrics) -> dict[str, float]:
    """Every sample with its labels."""
    metrics.flush()
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def test_predictions_and_their_errors_are_counted(worker: Worker) -> None:
    await worker.predict(asks(0.1))
    await worker.predict(asks(0.82, 0.32))
    await worker.post("/predict", asks(0.1))
    for body, status in ((candles(2), 422), (asks(0.1, version="v9"), 422), ({}, 422)):
        assert (await worker.post("/reversal/predict", body))[0] == status
    items = [asks(0.1), asks(0.9, version="v3"), candles(2), 7]
    assert (await worker.post("/reversal/predict/batch", {"items": items}))[0] == 200
    found = series(worker.metrics)
    assert found["reversal_predictions_total hold v1"] == 3
    assert found["reversal_predictions_total long v1"] == 1
    assert found["reversal_predictions_total hold v3"] == 1
    assert found["reversal_prediction_errors_total INSUFFICIENT_DATA"] == 2
    assert found["reversal_prediction_errors_total UNKNOWN_VERSION"] == 1
    assert found["reversal_prediction_errors_total VALIDATION_ERROR"] == 2
    assert found["reversal_prediction_seconds_count"] == 3
    assert found["reversal_prediction_seconds_bucket +Inf"] == 3
    assert found[f"reversal_build_info {VERSION}"] == 1


async def test_each_warning_of_each_answer_is_counted_by_its_code(worker: Worker) -> None:
    found = series(worker.metrics)
    assert {found[f"reversal_prediction_warnings_total {code}"] for code in CODES} == {0}
    await worker.predict(candles(20))
    await worker.predict(candles(8, version="v1"))
    await worker.post("/predict", asks(0.9, version="v3"))
    assert (await worker.post("/reversal/predict/batch", {"items": [candles(8), candles(8), candles(2)]}))[0] == 200
    assert (await worker.post("/reversal/compare", asks(0.9, versions=["v1", "v3"])))[0] == 200
    assert (await worker.post("/reversal/predict", asks(99.0)))[0] == 200
    found = series(worker.metrics)
    counted = {code: found[f"reversal_prediction_warnings_total {code}"] for code in CODES}
    assert {code: count for code, count in counted.items() if count} == {
        "NO_TIMESTAMPS": 4,
        "NO_STAGE2": 2,
        "OUT_OF_RANGE": 1,
    }


async def test_confidences_are_observed_by_the_version_that_answered(worker: Worker) -> None:
    refresh(worker)
    found = series(worker.metrics)
    assert (found["reversal_confidence_count v1"], found["reversal_confidence_count v3"]) == (0, 0)
    sure = [(await worker.predict(body))["confidence"] for body in (asks(0.1), asks(0.82, 0.32))]
    items = [asks(0.45, version="v3")] * 130 + [candles(2)]  # more than are kept, and one that is refused
    status, answer = await worker.post("/reversal/predict/batch", {"items": items})
    assert status == 200
    unsure = answer["data"]["results"][0]["data"]["confidence"]
    found = series(worker.metrics)
    assert found["reversal_confidence_count v1"] == 2
    assert found["reversal_confidence_sum v1"] == pytest.approx(sum(sure))
    assert found["reversal_confidence_sum v3"] == pytest.approx(130 * unsure)
    below = {bound: found[f"reversal_confidence_bucket {bound} v3"] for bound in ("0.5", "0.6", "0.7", "+Inf")}
    assert below == {"0.5": 0, "0.6": 130 * (unsure <= 0.6), "0.7": 130, "+Inf": 130}


def refresh(worker: Worker, loads: dict[str, float] | None = None) -> None:
    worker.metrics.refresh(worker.registry.snapshot, worker.journal, worker.breaker, loads)


async def test_each_group_of_predictions_is_a_run_of_the_models(worker: Worker) -> None:
    await worker.predict(asks(0.1))
    assert (await worker.post("/reversal/predict/batch", {"items": [asks(0.1)] * 2}))[0] == 200
    refresh(worker)
    refresh(worker)
    found = series(worker.metrics)
    assert (found["reversal_model_runs_total"], found["reversal_predictions_total hold v1"]) == (2, 3)


async def test_memory_and_load_times_are_those_of_the_process(worker: Worker) -> None:
    loaded = worker.registry.loader.seconds
    assert set(loaded) == {"v1", "v2", "v3"}
    assert 0 < min(loaded.values()) < max(loaded.values()) < 60
    refresh(worker, {"v1": 0.25})
    found = series(worker.metrics)
    assert found["reversal_version_load_seconds v1"] == 0.25
    assert found["reversal_memory_bytes worker"] == pytest.approx(resident(), rel=0.2)


def resident() -> int:
    """The resident memory of this process as another file of the kernel has it."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


async def test_every_code_has_a_series_before_its_first_error(worker: Worker) -> None:
    found = series(worker.metrics)
    assert {found[f"reversal_prediction_errors_total {code}"] for code in STATUS} == {0}


async def test_exposures_are_counted_by_variant(worker: Worker) -> None:
    assert series(worker.metrics)["reversal_exposures_total A"] == 0
    await worker.serve(experiment())
    for user in ("user123", "alice", "alice", None):
        await worker.predict(candles(user_id=user))
    found = series(worker.metrics)
    assert (found["reversal_exposures_total A"], found["reversal_exposures_total B"]) == (1, 2)


async def test_the_answer_is_prometheus_text(worker: Worker) -> None:
    response = await worker.client.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE reversal_prediction_seconds histogram" in await response.text()


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of records that wait in memory at most, in an application that is built after this fixture."""
    monkeypatch.setattr(app, "MEMORY_RECORDS", 50)
    return app.MEMORY_RECORDS


async def test_the_counts_of_the_journal_are_shown(small_memory: int, worker: Worker) -> None:
    await worker.serve(experiment())
    with samples.largest_file(0):
        for _ in range(small_memory + 3):
            await worker.predict(asks(0.1, 0.1, user_id="alice"))
        worker.metrics.refresh(worker.registry.snapshot, worker.journal, worker.breaker)
        found = series(worker.metrics)
        assert found["reversal_journal_degraded"] == 1
        assert found["reversal_exposures_waiting"] == small_memory
        assert found["reversal_exposures_unrecorded_total"] == 3
    assert worker.journal.retry()
    for _ in range(2):
        worker.metrics.refresh(worker.registry.snapshot, worker.journal, worker.breaker)
    found = series(worker.metrics)
    assert found["reversal_journal_degraded"] == 0
    assert found["reversal_exposures_waiting"] == 0
    assert found["reversal_exposures_unrecorded_total"] == 3


async def test_the_active_version_is_shown_and_series_exist_before_their_first_event(worker: Worker) -> None:
    for active, other in (("v1", "v2"), ("v2", "v1")):
        await worker.serve(None, active=active)
        worker.metrics.refresh(worker.registry.snapshot, worker.journal, worker.breaker)
        found = series(worker.metrics)
        assert (found[f"reversal_active_version {active}"], found[f"reversal_active_version {other}"]) == (1, 0)
    assert found["reversal_predictions_total short v3"] == 0
    await worker.serve(None, active="v2", without=("v1",))
    worker.metrics.refresh(worker.registry.snapshot, worker.journal, worker.breaker)
    assert series(worker.metrics)["reversal_active_version v1"] == 0


WORKER = """
import sys
from types import MappingProxyType
from pathlib import Path
from core.serving.circuit_breaker import CircuitBreaker
from core.journals.journal import Journal
from core.serving.snapshot import Snapshot
from server.worker.metrics import Metrics
from server.worker.timings import Timings

class Detector:
    digest = "0" * 64

metrics = Metrics(multiprocess=True)
journal = Journal(Path(sys.argv[1]), bound_bytes=1 << 20, memory_records=1)
metrics.refresh(Snapshot("v1", MappingProxyType({"v1": Detector()}), ("v1",)), journal, CircuitBreaker())
metrics.predictions["v1", "long"].inc(int(sys.argv[2]))
metrics.timings.add(Timings(50e-6, 10e-6, 60e-6, 100e-6, 80e-6, 10e-6))
metrics.timings.flush()
print(metrics.exposition().decode() if sys.argv[3:] else "ready", flush=True)
sys.stdin.read()
"""


def test_the_text_that_is_written_in_steps_is_that_of_the_whole() -> None:
    metrics = Metrics()
    metrics.predictions["v1", "long"].inc(3)
    metrics.timings.add(Timings(50e-6, 10e-6, 60e-6, 100e-6, 80e-6, 10e-6))
    metrics.flush()
    assert metrics.exposition() == generate_latest(metrics.registry)


def test_with_several_workers_each_reports_the_numbers_of_all(tmp_path: Path) -> None:
    (tmp_path / "numbers").mkdir()
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "numbers")}
    workers: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WORKER, str(tmp_path / "journals"), *arguments]
        pipe = subprocess.PIPE
        started = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)
        workers.append(started)
        return started

    for count in ("2", "3"):
        assert start(count).stdout.readline() == "ready\n"  # type: ignore[union-attr] # it is a pipe
    text, _ = start("5", "report").communicate()
    for other in workers[:2]:
        other.communicate()
        assert other.returncode == 0
    found = text.splitlines()
    assert 'reversal_predictions_total{signal="long",version="v1"} 10.0' in found
    assert "reversal_prediction_seconds_count 3.0" in found
    assert 'reversal_active_version{version="v1"} 3.0' in found
    assert "reversal_journal_degraded 0.0" in found


def test_a_throttle_passes_one_line_of_a_kind() -> None:
    now = 100.0
    throttle = Throttle(60.0, lambda: now)
    assert [throttle.passes("v1"), throttle.passes("v1"), throttle.passes("v2")] == [True, False, True]
    now = 159.0
    assert not throttle.passes("v1")
    now = 160.0
    assert [throttle.passes("v1"), throttle.passes("v1")] == [True, False]


async def test_a_version_that_could_not_be_loaded_is_shown_until_it_is_loaded(worker: Worker) -> None:
    snapshot = worker.registry.snapshot
    for failed in (("v9",), ()):
        worker.metrics.refresh(snapshot, worker.journal, worker.breaker, failed=failed)
        found = series(worker.metrics)
        assert found["reversal_version_not_loaded v9"] == len(failed)
        assert {found[f"reversal_version_not_loaded {version}"] for version in snapshot.detectors} == {0}
