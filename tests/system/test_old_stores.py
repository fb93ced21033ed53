"""A server of today continues with the store and the journals that servers of earlier formats have left."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.store.opening import identity
from core.store.sql.schema import MIGRATIONS
from tests.core.store.old_stores import COMMITS, EXAMPLE, FORMATS, evaluation, later, models
from tests.postgres import any_postgres, database
from tests.processes import Server, get, post, serving
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with any_postgres() as url:
        yield url


def test_every_format_has_a_fixture_of_both_drivers() -> None:
    assert {folder.name for folder in FORMATS.iterdir()} == set(COMMITS)
    for driver, statement in (
        ("sqlite", "INTO \"meta\" VALUES('schema','{}')"),
        ("postgres", "VALUES ('schema', '{}')"),
    ):
        for name in COMMITS:
            text = (FORMATS / name / driver / "store.sql").read_text()
            assert statement.format(name.partition("_")[0]) in text, (name, driver)
    assert {int(name.partition("_")[0]) for name in COMMITS} >= set(range(1, len(MIGRATIONS)))


@contextmanager
def restored(name: str, driver: str, postgres: str, folder: Path) -> Iterator[str]:
    """The URL of a database with what a server of that format has left. Its journals are in the folder."""
    statements = (FORMATS / name / driver / "store.sql").read_text()
    if driver == "sqlite":
        with closing(sqlite3.connect(folder / "state.db")) as file:
            file.executescript(statements)
        yield keep_journals(name, driver, f"sqlite:///{folder}/state.db", folder)
    else:
        with database(postgres) as url:
            with psycopg.connect(url) as connection:
                connection.execute(statements.encode())
            yield keep_journals(name, driver, url, folder)


def keep_journals(name: str, driver: str, url: str, folder: Path) -> str:
    """Put the journals to where a server looks for those of this store."""
    own = folder / "journals" / hashlib.sha256(os.fsencode(identity(url))).hexdigest()[:16]
    own.mkdir(parents=True)
    (file,) = (FORMATS / name / driver).glob("*.jsonl")
    shutil.copyfile(file, own / file.name)
    return url


def exported(server: Server, experiment: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{server.url}/reversal/experiments/{experiment}/export?format=jsonl") as answer:  # noqa: S310 - the test's own server
        return [json.loads(line) for line in answer.read().splitlines()]


def asked(server: Server, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    call = get(f"{server.url}/reversal/{path}") if body is None else post(f"{server.url}/reversal/{path}", body)
    assert call[0] in (200, 201), call
    return call[1]["data"]


def predicted(server: Server, hours: int, user: str) -> Any:  # noqa: ANN401 - JSON
    body = EXAMPLE | {"user_id": user, "data": [later(candle, hours) for candle in EXAMPLE["data"]]}
    return asked(server, "predict", body)


def counts(server: Server, experiment: str) -> dict[str, int]:
    """The predictions and the users of an experiment's first variant."""
    found = asked(server, f"experiments/{experiment}/metrics")["variants"]["A"]["metrics"]
    return {"count": found["count"], "users": found["users"]}


def assert_kept(old: Any, new: Any, place: str) -> None:  # noqa: ANN401 - JSON
    """Fail if anything that the old release answered is gone or another value. There may be more fields."""
    if isinstance(old, dict):
        assert isinstance(new, dict), place
        for key, value in old.items():
            assert key in new, f"{place}.{key}"
            assert_kept(value, new[key], f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list):
        assert len(old) == len(new), place
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            assert_kept(one, other, f"{place}[{number}]")
    else:
        assert new == (pytest.approx(old) if isinstance(old, float) else old), place


@pytest.mark.parametrize("driver", ["sqlite", "postgres"])
@pytest.mark.parametrize("name", COMMITS)
def test_a_server_continues_with_a_store_of_each_format(name: str, driver: str, postgres: str, tmp_path: Path) -> None:
    old = json.loads((FORMATS / name / driver / "answers.json").read_text())
    left = len(old["export"]["shadow"]) + len(old["undrained"])
    folder = str(models(tmp_path / "models"))
    with (
        restored(name, driver, postgres, tmp_path) as url,
        serving(state=tmp_path, REVERSAL_STATE_URL=url, REVERSAL_MODELS=folder) as server,
    ):
        wait_until(lambda: len(exported(server, "shadow")) == left)
        everything_is_there(server, old)
        everything_works(server, old)
        assert " ERROR " not in server.log


def everything_is_there(server: Server, old: dict[str, Any]) -> None:
    assert_kept(old["experiments"], asked(server, "experiments"), "experiments")
    for experiment, rows in old["export"].items():
        now = exported(server, experiment)
        assert_kept(rows, now[: len(rows)], f"{experiment}.export")
        added = [row["prediction_id"] for row in now[len(rows) :]]
        assert added == (old["undrained"] if experiment == "shadow" else [])
        if experiment != "shadow":
            metrics = asked(server, f"experiments/{experiment}/metrics")
            assert_kept(old["metrics"][experiment], metrics, f"{experiment}.metrics")
        asked(server, f"experiments/{experiment}/report")
    assert get(f"{server.url}/health")[1]["model_version"] == "v3.0"


def everything_works(server: Server, old: dict[str, Any]) -> None:
    # A user of the old release is the same user now.
    before = counts(server, "shadow")
    prediction = predicted(server, 20, "user-1")["prediction_id"]
    wait_until(lambda: counts(server, "shadow") == {"count": before["count"] + 1, "users": before["users"]})
    known = next(row for row in old["export"]["shadow"] if row["outcome"] == "win")
    outcomes = [
        {"prediction_id": prediction, "outcome": "loss", "pnl_pips": -2.0},
        {"prediction_id": old["undrained"][0], "outcome": "win", "pnl_pips": 2.0},
        {"prediction_id": known["prediction_id"], "outcome": "loss"},
    ]
    answers = asked(server, "outcomes", {"outcomes": outcomes})["results"]
    assert [each["status"] for each in answers] == ["recorded", "recorded", "contradicts"]
    labelled = asked(server, "experiments/shadow/evaluate", evaluation())
    assert labelled["labelled"] > 0, labelled
    asked(server, "experiments/split/notes", {"text": "A later release"})
    asked(server, "experiments/draft/activate", {})
    assert asked(server, "experiments/shadow")["status"] == "stopped"
    successor = {"experiment_id": "next", "name": "Next", "variant_a": "v3.1", "variant_b": "v3.0", "traffic_split": 1}
    asked(server, "experiments", successor)
    assert asked(server, "experiments/next/activate", {})["stopped_experiment"] == "draft"
    predicted(server, 0, "user-1")
    wait_until(lambda: counts(server, "next") == {"count": 1, "users": 1})
