"""Transitions between two states of the store: how each change is planned, stored, and undone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from core.bundles.repository import Repository
from core.errors import BundleRefused, UnknownVersion
from core.experiments.experiment import VARIANTS, Experiment, Variant, now_micros
from core.serving.state import State
from core.store.interface import Store


class Transition(NamedTuple):
    """The state before and after a change, with the changed experiments and how they were previously.

    `needed` is false if nothing has to be stored.
    """

    before: State
    after: State
    changed: tuple[Experiment, ...] = ()
    previously: tuple[Experiment, ...] = ()
    needed: bool = True

    def undoing(self, stored: State) -> Transition:
        """The reverse transition, from the state that the store has after this one."""
        return Transition(stored, self.before, self.previously)


# Computes the transition of a change from what the store holds now.
Plan: TypeAlias = Callable[[Store], Transition]


def loading(version: str) -> Plan:
    """Plan to load a version."""
    return _of_state(lambda state: state.loading(version))


def unloading(version: str) -> Plan:
    """Plan to unload a version."""
    return _of_state(lambda state: state.unloading(version))


def switching(version: str) -> Plan:
    """Plan to make a version active."""
    return _of_state(lambda state: state.switching(version))


def _of_state(step: Callable[[State], State]) -> Plan:
    def plan(store: Store) -> Transition:
        state = store.state()
        return Transition(state, step(state))

    return plan


def activating(experiment_id: str, repository: Repository) -> Plan:
    """Plan to make a draft the active experiment, with the digests of its bundles as they are now.

    An experiment that is active now is stopped, and is then the second of `changed`.
    The plan raises UnknownExperiment, or Conflict if the experiment is stopped.
    """

    def plan(store: Store) -> Transition:
        state, experiment = store.state(), store.experiment(experiment_id)
        activated = experiment.activated(now_micros(), _digests(experiment, repository))
        running = state.experiment
        if activated == experiment and running is not None and running.experiment_id == experiment_id:
            return Transition(state, state, (experiment,), (experiment,))
        if running is None:
            return Transition(state, state.running(activated), (activated,), (experiment,))
        ended = running.stopped(now_micros(), f"experiment {experiment_id} was activated")
        return Transition(state, state.running(activated), (activated, ended), (experiment, running))

    return plan


def _digests(experiment: Experiment, repository: Repository) -> dict[Variant, str] | None:
    """The digests of both bundles, or of those that can be read. The workers find out whether one can be loaded."""
    found: dict[Variant, str] = {}
    for variant in VARIANTS:
        with suppress(BundleRefused, UnknownVersion):
            found[variant] = repository.digest(experiment.version_of(variant))
    return found or None


def stopping(experiment_id: str, reason: str) -> Plan:
    """Plan to stop an experiment. A stopped experiment stays unchanged.

    The plan raises UnknownExperiment, or Conflict if the experiment is a draft.
    """

    def plan(store: Store) -> Transition:
        state, experiment = store.state(), store.experiment(experiment_id)
        stopped = experiment.stopped(now_micros(), reason)
        if stopped == experiment:
            return Transition(state, state, (experiment,), needed=False)
        return Transition(state, state.running(None), (stopped,), (experiment,))

    return plan


def commit(transition: Transition, store: Store) -> State:
    """Store a transition. Raises StateChanged if the store no longer has the state before it."""
    return store.change(transition.before.revision, transition.after, transition.changed)


def commit_unless_changed(transition: Transition, store: Store) -> State:
    """Store a transition if the store still has the state before it; returns the store's state after the call."""
    state = store.state()
    return commit(transition, store) if state == transition.before else state
