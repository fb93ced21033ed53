"""The tables, and the migration of older schemas."""

from __future__ import annotations

import re
import secrets

from core.store.drivers.database import Connection, Database
from core.store.interface import SchemaTooNew

# One step per schema version, each a list of statements. Never edit a released step; add a new one. The types are those
# of PostgreSQL, which SQLite accepts. Instants are microseconds since 1970, UTC.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # One row. `body` is core.serving.state.State, except the fields that are stored elsewhere.
        "CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT)",
        "INSERT INTO state (revision, body) VALUES (0, '{}')",
        "CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL)",
        "CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL)",
        # The fields of core.experiments.records.Exposure.
        """CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL)""",
        "CREATE INDEX exposures_by_time ON exposures (experiment_id, answered_at, prediction_id)",
        """CREATE TABLE outcomes (
            prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, pnl_pips DOUBLE PRECISION, closed_at BIGINT,
            reported_at BIGINT NOT NULL)""",
        """CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant))""",
        """CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, PRIMARY KEY (experiment_id, variant))""",
        # One row per candle: sums over the predictions of both sides as in core.experiments.candle_table.Side, the
        # label that `evaluate` gave, and the first shadow score. Reports read only this table, so that their cost does
        # not grow with the number of exposures.
        # A fallback creates a row, so that its candle can have a label, but adds to no sum.
        """CREATE TABLE candles (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, first_at BIGINT NOT NULL,
            a_predictions BIGINT NOT NULL DEFAULT 0, a_holds BIGINT NOT NULL DEFAULT 0,
            a_longs BIGINT NOT NULL DEFAULT 0, a_shorts BIGINT NOT NULL DEFAULT 0,
            a_confidence DOUBLE PRECISION NOT NULL DEFAULT 0, a_confidence_squares DOUBLE PRECISION NOT NULL DEFAULT 0,
            a_wins BIGINT NOT NULL DEFAULT 0, a_losses BIGINT NOT NULL DEFAULT 0, a_neutrals BIGINT NOT NULL DEFAULT 0,
            a_pnl DOUBLE PRECISION NOT NULL DEFAULT 0, a_pnl_count BIGINT NOT NULL DEFAULT 0,
            b_predictions BIGINT NOT NULL DEFAULT 0, b_holds BIGINT NOT NULL DEFAULT 0,
            b_longs BIGINT NOT NULL DEFAULT 0, b_shorts BIGINT NOT NULL DEFAULT 0,
            b_confidence DOUBLE PRECISION NOT NULL DEFAULT 0, b_confidence_squares DOUBLE PRECISION NOT NULL DEFAULT 0,
            b_wins BIGINT NOT NULL DEFAULT 0, b_losses BIGINT NOT NULL DEFAULT 0, b_neutrals BIGINT NOT NULL DEFAULT 0,
            b_pnl DOUBLE PRECISION NOT NULL DEFAULT 0, b_pnl_count BIGINT NOT NULL DEFAULT 0,
            label INTEGER NOT NULL DEFAULT -1, move_pips DOUBLE PRECISION, labelled_at BIGINT,
            shadow_at BIGINT, shadow_a_signal TEXT, shadow_a_confidence DOUBLE PRECISION,
            shadow_b_signal TEXT, shadow_b_confidence DOUBLE PRECISION,
            PRIMARY KEY (experiment_id, pair, timeframe, candle))""",
    ),
    (
        # Codes separated by blanks; NULL if there are none.
        "ALTER TABLE exposures ADD COLUMN warnings TEXT",
        # The number of answers of a variant with a warning of that code, without fallbacks.
        """CREATE TABLE warned (
            experiment_id TEXT, variant TEXT, code TEXT, answers BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, code))""",
    ),
    (
        "ALTER TABLE exposures ADD COLUMN window_key TEXT NOT NULL DEFAULT ''",
        # Shadow mode: one row per input. a_signal is NULL until B has tried to score it, b_signal until B has done so.
        # wins ... pnl_count: sums over the reported outcomes of A's predictions from this input.
        """CREATE TABLE scores (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, window_key TEXT, scored_at BIGINT,
            a_signal TEXT, a_confidence DOUBLE PRECISION, b_signal TEXT, b_confidence DOUBLE PRECISION,
            wins BIGINT NOT NULL DEFAULT 0, losses BIGINT NOT NULL DEFAULT 0, neutrals BIGINT NOT NULL DEFAULT 0,
            pnl DOUBLE PRECISION NOT NULL DEFAULT 0, pnl_count BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key))""",
        """INSERT INTO scores SELECT experiment_id, pair, timeframe, candle, '', shadow_at, shadow_a_signal,
            shadow_a_confidence, shadow_b_signal, shadow_b_confidence, a_wins, a_losses, a_neutrals, a_pnl, a_pnl_count
            FROM candles WHERE shadow_at IS NOT NULL""",
        *(
            f"ALTER TABLE candles DROP COLUMN shadow_{name}"
            for name in ("at", "a_signal", "a_confidence", "b_signal", "b_confidence")
        ),
    ),
    (
        # Crossover mode: the block of candles in which a user had this variant; empty in other modes.
        "ALTER TABLE exposures ADD COLUMN block TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE blocks (
            experiment_id TEXT, pseudonym TEXT, block TEXT, variant TEXT,
            PRIMARY KEY (experiment_id, pseudonym, block, variant))""",
    ),
    (
        "ALTER TABLE totals ADD COLUMN refused BIGINT NOT NULL DEFAULT 0",
        # What was asked for beside an experiment while it was active: see core.experiments.records.Beside.
        """CREATE TABLE beside (
            experiment_id TEXT, reason TEXT, requests BIGINT NOT NULL, PRIMARY KEY (experiment_id, reason))""",
        # The requests of a variant by the minute, counted from 1970. Requests of older releases have no minute.
        """CREATE TABLE minutes (
            experiment_id TEXT, variant TEXT, minute BIGINT, requests BIGINT NOT NULL, fallbacks BIGINT NOT NULL,
            failures BIGINT NOT NULL, refused BIGINT NOT NULL, slow BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, minute))""",
    ),
    (
        # Outcomes that came after the experiment had stopped, without those of fallbacks. In shadow mode they are
        # counted by input, because one of A's counts for B only if B scored that input with the same signal.
        "ALTER TABLE totals ADD COLUMN late BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE scores ADD COLUMN late BIGINT NOT NULL DEFAULT 0",
    ),
    (
        # What reports said over time. slot and body: see core.experiments.look.
        """CREATE TABLE looks (
            experiment_id TEXT, slot BIGINT, body TEXT NOT NULL, PRIMARY KEY (experiment_id, slot))""",
    ),
    # Apart from the experiment's body, which activating and stopping rewrite. `number` counts from 1.
    (
        """CREATE TABLE notes (
            experiment_id TEXT, number BIGINT, noted_at BIGINT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (experiment_id, number))""",
    ),
    # One row for each server that runs; body: core.serving.replicas.Replica.
    ("CREATE TABLE replicas (replica_id TEXT PRIMARY KEY, seen_at BIGINT NOT NULL, body TEXT NOT NULL)",),
)

# The names of all tables. A step that drops one has to take its name out here.
TABLES = re.findall(r"\bCREATE TABLE (\w+)", " ".join(statement for step in MIGRATIONS for statement in step))


def migrate(database: Database) -> None:
    """Bring the schema up to date in one transaction, and create a user key if there is none. Raises SchemaTooNew.

    Of replicas that start at the same time, one migrates and the others wait for it, as for any writer.
    """
    with database.writing() as connection:
        database.make_room(connection)
        connection.run("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        found = _version(connection)
        if found > len(MIGRATIONS):
            raise SchemaTooNew(
                f"{database.place} was written by a newer release: its schema version is {found}, "
                f"this release supports up to {len(MIGRATIONS)}"
            )
        for step in MIGRATIONS[found:]:
            for statement in step:
                connection.run(statement)
        connection.run(
            "INSERT INTO meta VALUES ('schema', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [str(len(MIGRATIONS))],
        )
        connection.run("INSERT INTO meta VALUES ('user_key', ?) ON CONFLICT (name) DO NOTHING", [secrets.token_hex(32)])


def _version(connection: Connection) -> int:
    """The version of the stored schema; 0 for an empty database."""
    rows = connection.rows("SELECT value FROM meta WHERE name = 'schema'")
    return int(rows[0][0]) if rows else 0
