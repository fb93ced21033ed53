"""Checks on what a server has stored, measured and logged."""

from __future__ import annotations

import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from core.store.opening import open_store
from tests.processes import Server
from tests.system.load import print_figures


def assert_stored(url: str, experiment_id: str, answered: set[str]) -> None:
    """Assert that every answered prediction is in the store once, and that the totals equal the sums of the rows."""
    store = open_store(url)
    try:
        rows = list(store.export(experiment_id))
        tallies = store.tally(experiment_id)
    finally:
        store.close()
    ids = [row["prediction_id"] for row in rows]
    assert len(ids) == len(set(ids))
    assert not answered - set(ids)
    print_figures(
        f"{len(answered)} answered, {len(ids)} stored, {len(ids) - len(answered)} of them without a received answer"
    )
    for variant, tally in tallies.items():
        own = [row for row in rows if row["variant"] == variant]
        assert tally.fallbacks == tally.unrecorded == 0
        assert tally.predictions == len(own)
        assert {signal: n for signal, n in tally.signals.items() if n} == Counter(row["signal"] for row in own)
        assert tally.confidence == pytest.approx(sum(row["confidence"] for row in own))
        assert tally.users == len({row["user"] for row in own})


def metric(server: Server, name: str) -> float:
    """The value of a metric, over all processes. `name`: with its labels if the metric has several series."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as answer:  # noqa: S310 - our own server
        lines = answer.read().decode().splitlines()
    (value,) = [line.rpartition(" ")[2] for line in lines if name in (found := line.split(" ")[0], found.split("{")[0])]
    return float(value)


def events(log: str, name: str) -> list[str]:
    """The lines of a log that report an event."""
    return [line for line in log.splitlines() if line.partition(": ")[2].split(" ")[0] == name]


def folder_of(server: Server) -> Path:
    """The folder that the server's processes share."""
    mapped = Path(f"/proc/{server.workers[0]}/maps").read_text()
    (folder,) = {Path(line.split()[5]).parent for line in mapped.splitlines() if "counter_" in line}
    return folder
