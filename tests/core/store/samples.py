"""Sample experiments and records; a test gives the fields that matter to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import count

import msgspec
import psycopg

from core.experiments.experiment import ChosenRule, Experiment
from core.experiments.label_rule import DAILY
from core.experiments.records import Exposure, Record, ShadowScore, new_prediction_id, prediction_moment
from core.features.candle_keys import candle_key_of_time
from core.store.interface import Label, LabelledSeries, Outcome, OutcomeName, Store

AT = 1_760_000_000_000_000  # 2025-10-09T08:53:20Z
HOUR = 3_600_000_000
_journal_names = count()

SERIES = LabelledSeries("exp", "EUR/USD", "1h")
CHOSEN = ChosenRule(DAILY, "1h", AT, "ops")

_EXPERIMENT = Experiment(
    experiment_id="exp", name="Experiment", variant_a="v1", variant_b="v2", traffic_split=0.5, created_at=AT
)


def experiment(experiment_id: str = "exp", **changes: object) -> Experiment:
    return msgspec.structs.replace(_EXPERIMENT, experiment_id=experiment_id, **changes)


def candle(number: int) -> str:
    return candle_key_of_time((AT + number * HOUR) // 1000)


def exposure(number: int = 0, **changes: object) -> Exposure:
    """An exposure of candle number `number`, with a new id. Higher numbers were answered later."""
    made = Exposure(
        prediction_id=new_prediction_id(prediction_moment(AT + number)),
        at=AT + number,
        experiment_id="exp",
        variant="A",
        version="v1",
        fallback_reason=None,
        user="5f4dcc3b5aa765d61d8327deb882cf99",
        pair="EUR/USD",
        timeframe="1h",
        candle=candle(number),
        signal="long",
        confidence=0.75,
        stage1_prob=0.82,
        stage2_prob=0.68,
        latency_us=412,
        slow=False,
    )
    return msgspec.structs.replace(made, **changes)


def score(number: int = 0, a: str = "long", b: str | None = "long", **changes: object) -> ShadowScore:
    made = ShadowScore(AT + number, "exp", "EUR/USD", "1h", candle(number), "long", 0.75, "long", 0.5)
    return msgspec.structs.replace(made, a_signal=a, b_signal=b, **changes)


def drain(store: Store, records: Sequence[Record]) -> None:
    """Drain records as from a journal that contains only them."""
    store.drain(f"journal-{next(_journal_names)}", 1, records)


def outcome(of: Exposure, name: OutcomeName = "win", pnl: float | None = None, closed_at: int | None = None) -> Outcome:
    return Outcome(of.prediction_id, name, pnl, closed_at)


def label(store: Store, *labels: Label) -> None:
    """Label candles of SERIES by the rule of CHOSEN."""
    store.choose_rule(SERIES.experiment_id, CHOSEN, replace=False)
    store.label(SERIES, CHOSEN.rule, labels, AT)


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run a statement on the database without the store."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
            return database.execute(statement).fetchall()
    with psycopg.connect(url, options="-c search_path=reversal") as server:
        cursor = server.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []
