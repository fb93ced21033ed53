"""What the store has about an experiment, as reports need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.experiments.candle_table import BesideTotals, CandleTable, Tally, Units
from core.experiments.experiment import Experiment, Variant
from core.statistics.reporting import settled_until
from core.statistics.samples import Source, with_data
from core.store.interface import Store


class Recorded(NamedTuple):
    """What the store has about an experiment.

    units: empty in shadow mode, where nothing is assigned to users. disagreements: None if they are not to be shown.
    source: of the results; None: the one that covers more candles.
    """

    tallies: Mapping[Variant, Tally]
    table: CandleTable
    units: Units
    in_both: int
    disagreements: list[dict[str, Any]] | None = None
    beside: BesideTotals = BesideTotals()
    source: Source | None = None


def read(store: Store, experiment_id: str, disagreements: int = 0) -> tuple[Experiment, Recorded]:
    """An experiment, and what the store has about it, with at most so many of the latest disagreements.

    The store's calls block, so this belongs in a thread. Raises UnknownExperiment or StoreUnavailable.
    """
    experiment = store.experiment(experiment_id)
    table = store.candles(experiment_id)
    units: Units = {}
    if experiment.mode != "shadow":
        units = store.units(
            experiment_id,
            experiment.metric,
            settled_until(table, stopped=experiment.status == "stopped"),
            with_data(table),
        )
    listed = store.disagreements(experiment_id, disagreements) if disagreements else None
    counts = store.tally(experiment_id), table, units, store.in_both(experiment_id)
    recorded = Recorded(*counts, listed, store.beside(experiment_id))
    return experiment, recorded
