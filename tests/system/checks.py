"""What a server has stored, and what its metrics say."""

from __future__ import annotations

import urllib.request
from collections import Counter

import pytest

from core.store.opening import open_store
from tests.processes import Server
from tests.system.load import tell


def assert_stored(url: str, experiment_id: str, answered: set[str]) -> None:
    """Every answered id is in the store once, and the sums are those of the rows."""
    store = open_store(url)
    try:
        rows = list(store.export(experiment_id))
        tallies = store.tally(experiment_id)
    finally:
        store.close()
    ids = [row["prediction_id"] for row in rows]
    assert len(ids) == len(set(ids))
    assert not answered - set(ids)
    tell(f"{len(answered)} answered, {len(ids)} stored: {len(ids) - len(answered)} whose answer nobody saw")
    for variant, tally in tallies.items():
        own = [row for row in rows if row["variant"] == variant]
        assert tally.fallbacks == tally.unrecorded == 0
        assert tally.predictions == len(own)
        assert {signal: n for signal, n in tally.signals.items() if n} == Counter(row["signal"] for row in own)
        assert tally.confidence == pytest.approx(sum(row["confidence"] for row in own))
        assert tally.users == len({row["user"] for row in own})


def metric(server: Server, name: str) -> float:
    """The value of a metric, of all processes; its name with labels where there is one for each."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as answer:  # noqa: S310 - our own server
        lines = answer.read().decode().splitlines()
    (value,) = [line.rpartition(" ")[2] for line in lines if name in (found := line.split(" ")[0], found.split("{")[0])]
    return float(value)
