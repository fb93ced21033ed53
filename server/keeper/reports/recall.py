"""Stage 1's recall as a metric: read from the latest experiment that is labelled."""

from __future__ import annotations

import asyncio

from core.bundles.repository import Repository
from core.errors import BundleRefused, UnknownVersion
from core.experiments.candle_table import CandleTable
from core.experiments.experiment import Experiment
from core.reports.recall import stage1_recall
from core.store.interface import Store
from server.keeper.metrics import KeeperMetrics
from server.keeper.store_access import StoreAccess


async def refresh_recall(store: StoreAccess, repository: Repository, metrics: KeeperMetrics) -> None:
    """Copy Stage 1's recall of both versions of the latest labelled experiment. Raises StoreUnavailable."""
    found = await store.read(_latest_labelled)
    if found is None:
        metrics.set_recall("", {})
        return
    experiment, table = found
    with_direction = await asyncio.to_thread(_with_direction, experiment, repository)
    recalls = await asyncio.to_thread(stage1_recall, experiment, table, with_direction)
    metrics.set_recall(experiment.experiment_id, recalls)


def _latest_labelled(store: Store) -> tuple[Experiment, CandleTable] | None:
    """The experiment with a label rule that was activated last, and its candles.

    Labels of releases that did not store their rule do not count: what they mean is unknown.
    """
    labelled = [each for each in store.experiments() if each.label_rules]
    if not labelled:
        return None
    latest = max(labelled, key=lambda each: each.activated_at or 0)
    return latest, store.candles(latest.experiment_id)


def _with_direction(experiment: Experiment, repository: Repository) -> set[str]:
    """The versions whose bundle in the models folder decides a direction."""
    found = set()
    for version in experiment.versions:
        try:
            manifest = repository.read_manifest(version)
        except (BundleRefused, UnknownVersion):
            continue
        if manifest.stage2 is not None or manifest.classes is not None:
            found.add(version)
    return found
