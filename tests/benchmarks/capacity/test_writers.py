from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from benchmarks.capacity import writers
from core.store import open_store
from tests.postgres import any_postgres, database

pytestmark = pytest.mark.serial  # several processes at once


def test_replicas_store_the_whole_backlog_and_copies_have_the_same_rows(tmp_path: Path) -> None:
    with any_postgres() as server, database(server) as url:
        open_store(url).close()
        found = writers.drained(url, tmp_path, 2, 3_000)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM reversal.exposures").fetchall() == [(3_000,)]
        copied = writers.copied(url, 2, 1_000)
        with psycopg.connect(url) as connection:
            query = "SELECT count(*) FROM (TABLE reversal.exposures EXCEPT TABLE copied) AS other"
            assert connection.execute(query).fetchall() == [(0,)]
    assert min(*found.values(), *copied.values()) > 0
    assert 200 < found["journal_bytes"] < 300


def test_the_rate_is_from_the_first_beginning_to_the_last_end_and_the_longest_turn_counts() -> None:
    found = writers.figures([(1.0, 0.2, 10.0, 14.0), (3.0, 0.5, 12.0, 20.0)], 1_000)
    assert found == {"per_second": 100.0, "replica_us": 4_000.0, "longest_ms": 500.0}


def test_a_backlog_that_is_not_as_long_as_expected_is_an_error(tmp_path: Path) -> None:
    writers.backlog(tmp_path, 0, 100)
    with pytest.raises(RuntimeError, match="99 records"):
        writers.together([(writers.replica, (f"sqlite:///{tmp_path}/state.db", tmp_path, 99))])
