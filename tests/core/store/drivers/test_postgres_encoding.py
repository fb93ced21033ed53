"""Databases in other encodings. initdb chooses SQL_ASCII on a machine without a locale."""

from __future__ import annotations

from contextlib import closing

import pytest

from core.store import open_store
from tests.core.store.samples import experiment
from tests.postgres import database


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_text_is_text_in_a_database_of_another_encoding(server: str, encoding: str) -> None:
    made = experiment(name="Größer als v3.0?")
    with database(server, encoding) as url, closing(open_store(url)) as store:
        store.create(made)
        assert bytes.fromhex(store.state().user_key)
        assert store.experiment(made.experiment_id) == made
