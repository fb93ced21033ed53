"""The tables, and how those of older releases become those of this one."""

from __future__ import annotations

import secrets

from core.store.drivers.database import Connection, Database
from core.store.interface import SchemaTooNew

# One step a version, each a list of statements; what was released is never edited, only followed by a further step.
# The types are PostgreSQL's; SQLite takes them for its own. Instants are microseconds since 1970, UTC.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # One row: `body` is core.serving.state.State but for what has a place of its own.
        "CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT)",
        "INSERT INTO state (revision, body) VALUES (0, '{}')",
        "CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL)",
        "CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL)",
        # As core.experiments.records.Exposure.
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
        # All that is known of a candle: sums over the predictions of both sides as in
        # core.experiments.candle_table.Side, what `evaluate` found, and the first score of a shadow. Reports read this
        # alone, however many exposures there are.
        # Fallbacks make a row, so that a label has its place, but are in no sum.
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
        # Codes with blanks in between; null where there is none.
        "ALTER TABLE exposures ADD COLUMN warnings TEXT",
        # How many answers of a variant, fallbacks left out, carried a warning of that code.
        """CREATE TABLE warned (
            experiment_id TEXT, variant TEXT, code TEXT, answers BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, code))""",
    ),
)


def migrate(database: Database) -> None:
    """Bring the schema up to date, all steps or none, and see that there is a user key. Raises SchemaTooNew.

    Replicas that start together take turns, as all writers do: one migrates, the others find it done.
    """
    with database.writing() as connection:
        database.make_room(connection)
        connection.run("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        found = _version(connection)
        if found > len(MIGRATIONS):
            raise SchemaTooNew(
                f"{database.place} was written by a newer release: it has schema {found}, "
                f"this release knows up to {len(MIGRATIONS)}"
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
    """The schema that is there; 0 for none."""
    rows = connection.rows("SELECT value FROM meta WHERE name = 'schema'")
    return int(rows[0][0]) if rows else 0
