"""The interface of a store, which keeps experiments, exposures, outcomes and the active version.

All calls block, so they belong in threads: writing calls in one thread, reading calls in any number of threads.
A call raises StoreUnavailable if the database is unreachable, locked or full. It has then changed nothing, and the next
call tries again. There is one exception: if the connection breaks during a commit, it is unknown whether the commit
took effect. So after StoreUnavailable, call `drained` before draining again, and `state` before changing the state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from core.errors import StoreUnavailable
from core.experiments.candle_table import UNIT_METRICS, BesideTotals, CandleTable, Tally, UnitMetric, Units
from core.experiments.experiment import ChosenRule, Experiment, Metric, Micros, Variant
from core.experiments.label_rule import LabelRule
from core.experiments.look import Look
from core.experiments.records import Record
from core.serving.replicas import Replica
from core.serving.state import State

# Clients get only this message; the database's address and the error go to the log. The message does not promise that
# nothing has changed, because the connection can break during a commit.
UNUSABLE = "the store cannot be used now, try again later"


# A replica that has not renewed its row for this long is not connected.
CONNECTED_SECONDS = 10


class StateChanged(Exception):
    """The state has left the revision on which the change is based: read it again and make a new decision."""


class SchemaTooNew(Exception):
    """The store was written by a newer release; the message names the store and both schema versions."""


class StoreUnsuitable(StoreUnavailable):
    """The way to the database cannot work as it is set up; the message says what to change. Trying again does not help.

    Only a startup treats it differently from StoreUnavailable.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(UNUSABLE, cause)


class StoreInUse(Exception):
    """Another process has reserved the store; the message names the file and the process id."""


class StateFileMounted(Exception):
    """The state file is a mount of its own; the message names the file and what to mount instead."""


OutcomeName: TypeAlias = Literal["win", "loss", "neutral"]


class Outcome(NamedTuple):
    """The result of a prediction, as the client reports it."""

    prediction_id: str
    outcome: OutcomeName
    pnl_pips: float | None
    closed_at: Micros | None


# recorded: new. late: new, but the experiment had stopped; it counts. completed: recorded before without its P&L or its
# closing time, which are now added. duplicate: already recorded with the same values. contradicts: already recorded
# with other values, which stay. not_a_trade: the prediction's signal was `hold`. unknown: there is no prediction with
# this id.
OutcomeStatus: TypeAlias = Literal[
    "recorded", "late", "completed", "duplicate", "contradicts", "not_a_trade", "unknown"
]


class ClosedTooEarly(NamedTuple):
    """The answer to an outcome whose `closed_at` is before its prediction can have been made; nothing is recorded.

    earliest: the first instant at which it can have been made. is_candle: whether that is the opening of the
    prediction's candle; otherwise it is the time of the answer.
    """

    earliest: Micros
    is_candle: bool


OutcomeAnswer: TypeAlias = OutcomeStatus | ClosedTooEarly


class LabelledSeries(NamedTuple):
    """The candles of a pair and timeframe in an experiment."""

    experiment_id: str
    pair: str
    timeframe: str


class Label(NamedTuple):
    """The label of a candle by the profitable-reversal rule; for `label` and `move_pips` see CandleTable."""

    candle: str
    label: int
    move_pips: float


# The most notes of one experiment. All of them are read whenever one is shown.
MAX_NOTES = 1_000


class Note(NamedTuple):
    """A remark on an experiment, and when it was written."""

    at: Micros
    text: str


# The columns of `Store.export`, in this order.
EXPORT_COLUMNS = (
    *("prediction_id", "at", "experiment_id", "variant", "model_version", "fallback_reason", "user"),
    *("pair", "timeframe", "candle", "candle_time", "signal", "confidence", "stage1_prob", "stage2_prob"),
    *("latency_us", "outcome", "pnl_pips", "closed_at", "label", "b_signal", "b_confidence", "warnings"),
)


class Store(Protocol):
    """One database. `core.store.open_store` opens it.

    is_shared: whether several servers can use it at the same time.
    """

    is_shared: bool

    def state(self) -> State:
        """The present state, with the active experiment."""

    def change(self, revision: int, state: State, changed: Sequence[Experiment] = ()) -> State:
        """Replace the state of `revision` by `state` and store the experiments `changed`, in one transaction.

        Experiments that are not stored yet are added; the others keep their stored `label_rules`. `state.user_key` is
        ignored; the stored key stays.
        Returns the stored state, which has the next revision, and notifies the other replicas. Raises StateChanged.
        """

    def try_writing(self) -> None:
        """Test whether the store accepts writes, by a write that changes nothing. Raises StoreUnavailable if not."""

    def check_access(self) -> None:
        """Test whether all tables can be read and extended now. Raises StoreUnavailable if not."""

    def report(self, replica: Replica) -> list[Replica]:
        """Renew the row of this replica; returns all connected ones. It waits for no writer, and none waits for it.

        The row may be lost when the database crashes, and does not show that the store accepts other writes.
        """

    def replicas(self) -> list[Replica]:
        """The connected replicas, by name: those that have reported within CONNECTED_SECONDS."""

    def leave(self, replica_id: str) -> None:
        """Remove the row of this replica, because it ends."""

    def wait_for_change(self, seconds: float) -> bool:
        """Wait until another replica changes the state, for at most `seconds`; true if it was changed.

        It can also be true after a change by this process, or after a lost connection, when changes could be missed.
        """

    def leave_hung(self) -> None:
        """Let calls fail that wait for a server which does not answer, if another server has taken its place.

        Without that they would wait until the frozen server ends. Blocks for seconds, so it needs its own thread.
        """

    def create(self, experiment: Experiment) -> None:
        """Add an experiment, usually a draft. Raises Conflict if the id is taken."""

    def experiment(self, experiment_id: str) -> Experiment:
        """The experiment with this id. Raises UnknownExperiment."""

    def experiments(self) -> list[Experiment]:
        """All experiments, oldest first."""

    def add_note(self, experiment_id: str, note: Note) -> None:
        """Append a note to an experiment in any status.

        Raises UnknownExperiment, or Conflict if the experiment has MAX_NOTES already.
        """

    def notes(self, experiment_id: str) -> list[Note]:
        """The notes of an experiment, in the order in which they were added."""

    def drained(self, journal: str) -> int:
        """How many bytes of this journal are in the store; 0 for a new journal."""

    def drain(self, journal: str, upto: int, records: Sequence[Record], *, after: int | None = None) -> None:
        """Store records, and that the journal is drained up to byte `upto`, in one transaction.

        `after`: the first byte of these records. Raises StoreUnavailable if the store has the journal up to another
        byte: after a failover, it can lack what the caller has drained last.
        An exposure with a prediction_id that is already stored does not count again.
        """

    def forget(self, journal: str) -> None:
        """Drop the position of a journal after its file was deleted."""

    def tally(self, experiment_id: str) -> dict[Variant, Tally]:
        """The totals of both variants; zeros if nothing was recorded."""

    def beside(self, experiment_id: str) -> BesideTotals:
        """The predictions that were asked for beside the experiment while it was active."""

    def in_both(self, experiment_id: str) -> int:
        """How many units got both variants: users, or in crossover mode blocks of users.

        Each is assigned to one variant, so a number above 0 shows an error. Raises UnknownExperiment.
        """

    def candles(self, experiment_id: str) -> CandleTable:
        """The candles of an experiment's report. In shadow mode each has one prediction of each side.

        In shadow mode, an outcome reported for A's prediction also counts for B if their signals agree.
        Raises UnknownExperiment.
        """

    def units(
        self,
        experiment_id: str,
        metric: Metric,
        settled_until: Mapping[str, float],
        wanted: Collection[UnitMetric] = UNIT_METRICS,
    ) -> Units:
        """The sums by unit, for experiments that assign users, of the predictions on candles with a time.

        settled_until: by timeframe, the latest time of a candle whose trades count for the rate of reported outcomes,
        in milliseconds. `metric` says what must be reported. wanted: the metrics to compute; the others are empty.
        """

    def disagreements(self, experiment_id: str, limit: int) -> list[dict[str, Any]]:
        """Shadow mode: the latest candles on which the signals differ, as pair, timeframe, candle and both signals."""

    def looks(self, experiment_id: str) -> list[Look]:
        """The looks at an experiment that are kept, oldest first."""

    def add_look(self, experiment_id: str, look: Look) -> None:
        """Keep a look, unless its slot has one. If there are too many, older ones are thinned out evenly."""

    def record_outcomes(self, outcomes: Sequence[Outcome], at: Micros) -> list[OutcomeAnswer]:
        """Store the new outcomes in one transaction and return an answer for each outcome, in order.

        If a list has several outcomes of one prediction, the first counts, and a later one can complete it.
        """

    def labels(self, series: LabelledSeries, candles: Sequence[str]) -> dict[str, Label | None]:
        """The labels of those candles that have predictions of the experiment, including scores of B in shadow mode.

        A candle without a label yet has None.
        """

    def choose_rule(self, experiment_id: str, chosen: ChosenRule, *, replace: bool) -> int:
        """Make a rule the experiment's rule, unless it is already; returns the number of candles that lost their label.

        If the experiment has another rule, this raises Conflict, or with `replace` takes all its labels away. Raises
        UnknownExperiment.
        """

    def label(self, series: LabelledSeries, rule: LabelRule, labels: Sequence[Label], at: Micros) -> None:
        """Set labels that a rule gave. A new label replaces an old one; a candle without predictions is skipped.

        Raises Conflict if the experiment has another rule, and UnknownExperiment.
        """

    def export(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        """Every exposure with its outcome and label, in order of time. Rows are read in pages of constant memory."""

    def close(self) -> None:
        """Close all connections."""
