"""The store on a relational database: each call is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from core.errors import StoreUnavailable
from core.experiments.candle_table import UNIT_METRICS, BesideTotals, CandleTable, Tally, UnitMetric, Units
from core.experiments.experiment import ChosenRule, Experiment, Metric, Micros, Variant
from core.experiments.label_rule import LabelRule
from core.experiments.look import Look
from core.experiments.records import Record
from core.serving.replicas import Replica
from core.serving.state import State
from core.store.drivers.database import Connection, Database
from core.store.interface import UNUSABLE, Label, LabelledSeries, Note, Outcome, OutcomeAnswer
from core.store.sql import labels as labelling
from core.store.sql import looks, notes, reading, replicas, states
from core.store.sql import outcomes as endings
from core.store.sql.recording import record
from core.store.sql.schema import TABLES, migrate
from core.store.sql.totals import read_beside
from core.store.sql.units import units


def open_relational(database: Database) -> RelationalStore:
    """Bring the schema of a database up to date and return its store."""
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return RelationalStore(database)


class RelationalStore:
    """An implementation of core.store.interface.Store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_shared = database.is_shared
        self._removed_old = False

    def state(self) -> State:
        """See Store."""
        with self._database.reading() as connection:
            return states.read_state(connection)

    def change(self, revision: int, state: State, changed: Sequence[Experiment] = ()) -> State:
        """See Store."""
        with self._database.writing() as connection:
            stored = states.change_state(connection, revision, state, changed)
            self._database.announce(connection)
        return stored

    def try_writing(self) -> None:
        """See Store."""
        with self._testing(), self._database.writing() as connection:
            connection.run("UPDATE state SET revision = revision")

    def check_access(self) -> None:
        """See Store."""
        with self._testing(), self._database.reading() as connection:
            states.read_state(connection)
            self._database.check_access(connection, TABLES)

    @contextmanager
    def _testing(self) -> Iterator[None]:
        """Turn every error of the driver into StoreUnavailable. In a test it is no bug: a table can be gone."""
        try:
            yield
        except self._database.errors as error:
            raise self._database.unusable(f"{type(error).__name__}: {error}".partition("\n")[0]) from None

    def report(self, replica: Replica) -> list[Replica]:
        """See Store."""
        now = self._database.now
        with self._database.writing_apart() as connection:
            replicas.renew(connection, replica, now)
            if not self._removed_old:  # once for each connection to a store, which is often enough
                replicas.remove_old(connection, now)
            found = replicas.connected(connection, now)
        self._removed_old = True
        return found

    def replicas(self) -> list[Replica]:
        """See Store."""
        with self._database.reading() as connection:
            return replicas.connected(connection, self._database.now)

    def leave(self, replica_id: str) -> None:
        """See Store."""
        with self._database.writing_apart() as connection:
            replicas.remove(connection, replica_id)

    def wait_for_change(self, seconds: float) -> bool:
        """See Store."""
        return self._database.wait_for_change(seconds)

    def leave_hung(self) -> None:
        """See Store."""
        self._database.leave_hung()

    def create(self, experiment: Experiment) -> None:
        """See Store."""
        with self._database.writing() as connection:
            states.add_experiment(connection, experiment)

    def experiment(self, experiment_id: str) -> Experiment:
        """See Store."""
        with self._database.reading() as connection:
            return states.read_experiment(connection, experiment_id)

    def experiments(self) -> list[Experiment]:
        """See Store."""
        with self._database.reading() as connection:
            return states.read_experiments(connection)

    def add_note(self, experiment_id: str, note: Note) -> None:
        """See Store."""
        with self._database.writing() as connection:
            notes.add_note(connection, experiment_id, note)

    def notes(self, experiment_id: str) -> list[Note]:
        """See Store."""
        with self._database.reading() as connection:
            return notes.read_notes(connection, experiment_id)

    def drained(self, journal: str) -> int:
        """See Store."""
        with self._database.reading() as connection:
            return _upto(connection, journal)

    def drain(self, journal: str, upto: int, records: Sequence[Record], *, after: int | None = None) -> None:
        """See Store."""
        try:
            self._drain(journal, upto, records, after, all_new=True)
        except self._database.duplicate:  # which happens after a failover; to look first takes a fifth of a drain
            self._drain(journal, upto, records, after, all_new=False)

    def _drain(self, journal: str, upto: int, records: Sequence[Record], after: int | None, *, all_new: bool) -> None:
        with self._database.writing() as connection:
            if after is not None and (stored := _upto(connection, journal)) != after:
                cause = f"the store has journal {journal} up to {stored} instead of {after}, as after a failover"
                raise StoreUnavailable(UNUSABLE, cause)
            connection.run(
                "INSERT INTO journals (name, upto) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET upto = excluded.upto",
                [journal, upto],
            )
            record(connection, records, all_new=all_new)

    def forget(self, journal: str) -> None:
        """See Store."""
        with self._database.writing() as connection:
            connection.run("DELETE FROM journals WHERE name = ?", [journal])

    def tally(self, experiment_id: str) -> dict[Variant, Tally]:
        """See Store."""
        with self._database.reading() as connection:
            return reading.tally(connection, experiment_id)

    def beside(self, experiment_id: str) -> BesideTotals:
        """See Store."""
        with self._database.reading() as connection:
            return read_beside(connection, experiment_id)

    def in_both(self, experiment_id: str) -> int:
        """See Store."""
        with self._database.reading() as connection:
            return reading.in_both(connection, experiment_id)

    def candles(self, experiment_id: str) -> CandleTable:
        """See Store."""
        with self._database.reading() as connection:
            return reading.candles(connection, experiment_id)

    def units(
        self,
        experiment_id: str,
        metric: Metric,
        settled_until: Mapping[str, float],
        wanted: Collection[UnitMetric] = UNIT_METRICS,
    ) -> Units:
        """See Store."""
        with self._database.reading() as connection:
            return units(connection, experiment_id, metric, settled_until, wanted)

    def disagreements(self, experiment_id: str, limit: int) -> list[dict[str, Any]]:
        """See Store."""
        with self._database.reading() as connection:
            return reading.disagreements(connection, experiment_id, limit)

    def looks(self, experiment_id: str) -> list[Look]:
        """See Store."""
        with self._database.reading() as connection:
            return looks.read_looks(connection, experiment_id)

    def add_look(self, experiment_id: str, look: Look) -> None:
        """See Store."""
        with self._database.writing() as connection:
            looks.add_look(connection, experiment_id, look)

    def record_outcomes(self, outcomes: Sequence[Outcome], at: Micros) -> list[OutcomeAnswer]:
        """See Store."""
        with self._database.writing() as connection:
            return endings.record_outcomes(connection, outcomes, at)

    def labels(self, series: LabelledSeries, candles: Sequence[str]) -> dict[str, Label | None]:
        """See Store."""
        with self._database.reading() as connection:
            return labelling.labels(connection, series, candles)

    def choose_rule(self, experiment_id: str, chosen: ChosenRule, *, replace: bool) -> int:
        """See Store."""
        with self._database.writing() as connection:
            return labelling.choose_rule(connection, experiment_id, chosen, replace=replace)

    def label(self, series: LabelledSeries, rule: LabelRule, labels: Sequence[Label], at: Micros) -> None:
        """See Store."""
        with self._database.writing() as connection:
            labelling.label(connection, series, rule, labels, at)

    def export(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        """See Store."""
        return reading.export(self._database.reading, experiment_id)

    def close(self) -> None:
        """See Store."""
        self._database.close()


def _upto(connection: Connection, journal: str) -> int:
    rows = connection.rows("SELECT upto FROM journals WHERE name = ?", [journal])
    return int(rows[0][0]) if rows else 0
