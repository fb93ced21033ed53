from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import servers, stored
from benchmarks.capacity import growth
from benchmarks.load import LoadError
from core.experiments.experiment import now_micros
from core.store import open_store
from core.store.interface import Outcome
from tests.postgres import any_postgres, database

pytestmark = pytest.mark.serial  # starts servers


def test_both_stores_have_the_same_experiment(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    stored.fill(path, 30_000)
    with any_postgres() as server, database(server) as url:
        growth.copy(path, url)
        with closing(open_store(f"sqlite:///{path}")) as one, closing(open_store(url)) as other:
            name = stored.EXPERIMENT
            assert other.experiment(name) == one.experiment(name)
            assert other.tally(name) == one.tally(name)
            ids = list(stored.trades(30_000))
            assert len(ids) == 20_000
            reported = [won(each) for each in ids[:50]]
            for store in (one, other):
                assert store.record_outcomes(reported, now_micros()) == ["recorded"] * 50
        assert growth.database_bytes(url) > 30_000 * 200
    assert growth.file_bytes(path) > 30_000 * 200


def won(prediction_id: str) -> Outcome:
    return Outcome(prediction_id, "win", 7.5, None)


def test_each_request_reports_predictions_of_its_own(tmp_path: Path) -> None:
    stored.fill(tmp_path / "state.db", 30_000)
    with servers.server(state=tmp_path) as running:
        store = growth.Filled(growth.SQLITE, 30_000, str(tmp_path / "state.db"), running, 0, stored.trades(30_000))
        requests = store.requests(10, 3)
        bodies = [json.loads(each.partition(b"\r\n\r\n")[2]) for each in requests]
        ids = {outcome["prediction_id"] for body in bodies for outcome in body["outcomes"]}
        assert len(ids) == 30
        found = growth.reported(running, requests, 30)
        assert found.keys() == {"worker_us", "keeper_us"}
        assert min(found.values()) > 0
        with pytest.raises(LoadError, match="30 outcomes were reported, 0 recorded"):
            growth.reported(running, requests, 30)
        assert growth.turn(store, 10) > 0
        assert min(growth.answered(running).values()) > 0
