from __future__ import annotations

import re
from time import perf_counter

import pytest
from prometheus_client import CollectorRegistry, Histogram

from server.protocol.timing import BUCKETS
from server.worker.timings import CONFIDENCE_BUCKETS, ConfidenceMetrics, TimingMetrics, Timings
from tests.server.client import Client
from tests.server.questions import asks

KINDS = [
    Timings(10e-6, 5e-6, 40e-6, 50e-6, 35e-6, 9e-6),
    Timings(50e-6, 50.1e-6, 0.3, 2.0, 0.0, 1e-3),
    Timings(0.0, 1e-9, 1e-6, 1e-3, 1e-3, 5e-3),
]


def samples(registry: CollectorRegistry, name: str) -> dict[str, float]:
    """The values of a histogram by series."""
    return {
        sample.name.removeprefix(name) + str(sorted(sample.labels.items())): sample.value
        for family in registry.collect()
        if family.name == name
        for sample in family.samples
    }


@pytest.mark.parametrize("count", [1, 127, 128, 300])
def test_many_observations_at_once_equal_single_ones(count: int) -> None:
    batched, single = CollectorRegistry(), CollectorRegistry()
    metrics = TimingMetrics(batched)
    total = Histogram("reversal_prediction_seconds", "Total.", buckets=BUCKETS, registry=single)
    timings = Histogram("reversal_phase_seconds", "Phases.", ["phase"], buckets=BUCKETS, registry=single)
    for name in Timings._fields:
        timings.labels(name)
    for i in range(count):
        one = KINDS[i % len(KINDS)]
        metrics.add(one)
        total.observe(sum(one[:-1]))
        for name, seconds in one._asdict().items():
            if seconds > 0:
                timings.labels(name).observe(seconds)
    metrics.flush()
    for name in ("reversal_prediction_seconds", "reversal_phase_seconds"):
        assert samples(batched, name) == pytest.approx(samples(single, name))


@pytest.mark.parametrize("count", [1, 127, 128, 300])
def test_many_confidences_at_once_equal_single_ones(count: int) -> None:
    batched, single = CollectorRegistry(), CollectorRegistry()
    metrics = ConfidenceMetrics(batched)
    one = Histogram("reversal_confidence", "One.", ["version"], buckets=CONFIDENCE_BUCKETS, registry=single)
    for i in range(count):
        version, confidence = f"v{i % 3}", (0.5, 0.55, 0.6, 0.75, 0.9, 1.0)[i % 6]
        metrics.kept.append((version, confidence))
        one.labels(version).observe(confidence)
    metrics.flush()
    assert samples(batched, "reversal_confidence") == pytest.approx(samples(single, "reversal_confidence"))


def test_a_flush_of_nothing_adds_nothing() -> None:
    registry = CollectorRegistry()
    metrics = TimingMetrics(registry)
    metrics.add(KINDS[0])
    metrics.flush()
    metrics.flush()
    assert samples(registry, "reversal_prediction_seconds")["_count[]"] == 1


def test_the_header_has_every_phase_in_milliseconds() -> None:
    header = TimingMetrics(CollectorRegistry()).add(KINDS[1])
    seconds = "features;dur=300.000, stage1;dur=2000.000, stage2;dur=0.000"
    assert header == f"parse;dur=0.050, queue;dur=0.050, {seconds}, encode;dur=1.000"
    assert re.fullmatch(r"(\w+;dur=\d+\.\d{3}(, |$)){6}", header)


def test_predictions_of_one_run_and_of_others_have_their_own_times() -> None:
    metrics = TimingMetrics(CollectorRegistry())
    for one in [*KINDS, *KINDS[::-1], KINDS[0]._replace(parse=1.0), KINDS[0]._replace(stage2=1.0)]:
        expected = ", ".join(f"{phase};dur={1e3 * seconds:.3f}" for phase, seconds in one._asdict().items())
        assert metrics.add(one) == expected


@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict_raw", "/predict"])
async def test_an_answer_gives_the_time_of_each_phase(client: Client, path: str) -> None:
    began = perf_counter()
    response = await client.post(path, json=asks(0.9))
    seen = 1e3 * (perf_counter() - began)
    sent = dict(part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    assert tuple(sent) == Timings._fields
    spent = {phase: float(milliseconds) for phase, milliseconds in sent.items()}
    assert min(spent.values()) > 0
    assert sum(spent.values()) < seen


async def test_a_stage_that_did_not_run_took_no_time(client: Client) -> None:
    response = await client.post("/reversal/predict", json=asks(0.1))
    assert "stage2;dur=0.000" in response.headers["Server-Timing"]
    text = await (await client.get("/metrics")).text()
    counts = dict(re.findall(r'reversal_phase_seconds_count{phase="(\w+)"} (\S+)', text))
    assert counts == dict.fromkeys(Timings._fields, "1.0") | {"stage2": "0.0"}


async def test_a_refusal_has_no_phases(client: Client) -> None:
    response = await client.post("/reversal/predict", json={})
    assert response.status == 422
    assert "Server-Timing" not in response.headers
