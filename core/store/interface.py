"""Where experiments, exposures, outcomes and the active version live: what every store can do.

All calls block, so they belong in threads: the writing ones in one thread, the reading ones in as many as one likes.
Each raises StoreUnavailable where the database is gone, locked or full, and has then changed nothing; the next call
tries anew. One case stays open: where a server goes away in the very answer to a commit, nobody knows whether it was
done. So after StoreUnavailable whoever needs to know asks again: `drained` before draining, `state` before changing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from core.experiments.candle_table import CandleTable, Tally
from core.experiments.experiment import Experiment, Micros, Variant
from core.experiments.records import Record
from core.serving.state import State

# All that clients learn: where the database is, and what is wrong with it, is for the log. It does not say that nothing
# is changed, as a server may go away in its answer to a commit.
UNUSABLE = "the store cannot be used now, try again later"


class StateChanged(Exception):
    """The state is no longer at the revision from which the change was made: read it again and decide anew."""


class SchemaTooNew(Exception):
    """The store was written by a newer release; the message says which store, and has both numbers."""


class StoreInUse(Exception):
    """Another process has reserved the store; the message has the file and the process id."""


OutcomeName: TypeAlias = Literal["win", "loss", "neutral"]


class Outcome(NamedTuple):
    """How a prediction ended, as the client reports it."""

    prediction_id: str
    outcome: OutcomeName
    pnl_pips: float | None
    closed_at: Micros | None


# recorded: new. late: new, but the experiment had stopped; it counts. duplicate: the same again. contradicts: another
# outcome is on record, which stays. unknown: no prediction of that id.
OutcomeAnswer: TypeAlias = Literal["recorded", "late", "duplicate", "contradicts", "unknown"]


class Label(NamedTuple):
    """What the profitable-reversal rule says of a candle; `label` and `move_pips` as in CandleTable."""

    candle: str
    label: int
    move_pips: float


# The columns of `Store.export`, in this order.
EXPORT_COLUMNS = (
    *("prediction_id", "at", "experiment_id", "variant", "model_version", "fallback_reason", "user"),
    *("pair", "timeframe", "candle", "candle_time", "signal", "confidence", "stage1_prob", "stage2_prob"),
    *("latency_us", "outcome", "pnl_pips", "closed_at", "label", "b_signal", "b_confidence", "warnings"),
)


class Store(Protocol):
    """One database. Opened by `core.store.open_store`."""

    def state(self) -> State:
        """The present state; its experiment is the active one."""

    def change(self, revision: int, state: State, changed: Sequence[Experiment] = ()) -> State:
        """Replace the state of `revision` by `state` with the next revision, and the experiments `changed` with it.

        Both or nothing; returns what is now stored, and tells the other replicas. Raises StateChanged.
        An experiment of `changed` that is not there yet is added. `state.user_key` is not changed by this.
        """

    def try_writing(self) -> None:
        """Write what is there already: whether the store takes anything at all."""

    def wait_for_change(self, seconds: float) -> bool:
        """Wait until another replica has changed the state, or the time is over; true for the former.

        It may also be true for a change of our own, or after a lost connection, when nobody knows.
        """

    def create(self, experiment: Experiment) -> None:
        """Add an experiment, as a rule a draft. Raises Conflict where the id is taken."""

    def experiment(self, experiment_id: str) -> Experiment:
        """One of them; raises UnknownExperiment."""

    def experiments(self) -> list[Experiment]:
        """All of them, oldest first."""

    def drained(self, journal: str) -> int:
        """How many bytes of this journal are in the store; 0 for one that is new."""

    def drain(self, journal: str, upto: int, records: Sequence[Record]) -> None:
        """Store records and that the journal is in the store up to byte `upto`: both or nothing.

        A prediction_id that is already there is not counted again.
        """

    def forget(self, journal: str) -> None:
        """The journal's file is gone: drop its position."""

    def tally(self, experiment_id: str) -> dict[Variant, Tally]:
        """Totals of both variants; zeros where nothing was recorded."""

    def users_in_both(self, experiment_id: str) -> int:
        """How many users saw both variants. Assignment is a function of the user, so any is a mistake somewhere."""

    def candles(self, experiment_id: str) -> CandleTable:
        """What the report is computed from. In shadow mode one prediction of each side a candle.

        In shadow mode an outcome reported for A's prediction is B's as well where their signals agree.
        Raises UnknownExperiment.
        """

    def disagreements(self, experiment_id: str, limit: int) -> list[dict[str, Any]]:
        """Shadow mode: the latest candles on which the signals differ, as pair, timeframe, candle and both signals."""

    def record_outcomes(self, outcomes: Sequence[Outcome], at: Micros) -> list[OutcomeAnswer]:
        """Keep what is new, in one transaction; an answer for each, in order. Within one list too the first counts."""

    def labels(self, experiment_id: str, pair: str, timeframe: str, candles: Sequence[str]) -> dict[str, Label | None]:
        """Those of these candles that have predictions of the experiment (B's in shadow mode as well).

        Each with its label, null where it has none yet.
        """

    def label(self, experiment_id: str, pair: str, timeframe: str, labels: Sequence[Label], at: Micros) -> None:
        """Set labels; a candle that has one gets the new one, one without predictions gets none."""

    def export(self, experiment_id: str) -> Iterator[dict[str, Any]]:
        """Every exposure with its outcome and label, by time; rows come as they are read, memory stays constant."""

    def close(self) -> None:
        """End all connections."""
