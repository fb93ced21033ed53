"""The variant of a user, computed as the service computes it."""

from __future__ import annotations

from core.experiments.assignment import assign as assigned
from core.experiments.experiment import Experiment, Variant


def assign(user: str | int, experiment: str, traffic_split: float = 0.5, block: str = "") -> Variant:
    """A or B: assignment version 1 (docs/experiments.md).

    experiment: its id. traffic_split: the share of A. block: only in crossover mode, of
    core.experiments.assignment.block_of.
    """
    named = Experiment(
        experiment_id=experiment, name="", variant_a="a", variant_b="b", traffic_split=traffic_split, created_at=0
    )
    return assigned(str(user), named, block)
