"""From one state of the store to the next: how each change is planned, stored, and undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from core.experiments.experiment import Experiment, now_micros
from core.serving.state import State
from core.store.interface import Store


class Transition(NamedTuple):
    """From one state to the next, with the experiments that change with it and how they were.

    `needed` is false where everything is so already.
    """

    before: State
    after: State
    changed: tuple[Experiment, ...] = ()
    previously: tuple[Experiment, ...] = ()
    needed: bool = True

    def undoing(self, stored: State) -> Transition:
        """The way back from the state that this one was stored as."""
        return Transition(stored, self.before, self.previously)


# Works out, from what the store holds now, what a change leads to.
Plan: TypeAlias = Callable[[Store], Transition]


def loading(version: str) -> Plan:
    """Load a version."""
    return _of_state(lambda state: state.loading(version))


def unloading(version: str) -> Plan:
    """Drop a version."""
    return _of_state(lambda state: state.unloading(version))


def switching(version: str) -> Plan:
    """Make a version active."""
    return _of_state(lambda state: state.switching(version))


def _of_state(step: Callable[[State], State]) -> Plan:
    def plan(store: Store) -> Transition:
        state = store.state()
        return Transition(state, step(state))

    return plan


def activating(experiment_id: str) -> Plan:
    """Make a draft the active experiment, and end the one that is: then that is the second of those that change.

    The plan raises UnknownExperiment, or Conflict for a stopped one.
    """

    def plan(store: Store) -> Transition:
        state, experiment = store.state(), store.experiment(experiment_id)
        activated = experiment.activated(now_micros())
        running = state.experiment
        if activated == experiment and running is not None and running.experiment_id == experiment_id:
            return Transition(state, state, (experiment,), (experiment,))
        if running is None:
            return Transition(state, state.running(activated), (activated,), (experiment,))
        ended = running.stopped(now_micros(), f"experiment {experiment_id} was activated")
        return Transition(state, state.running(activated), (activated, ended), (experiment, running))

    return plan


def stopping(experiment_id: str, reason: str) -> Plan:
    """End an experiment; one that is stopped stays as it is.

    The plan raises UnknownExperiment, or Conflict for a draft.
    """

    def plan(store: Store) -> Transition:
        state, experiment = store.state(), store.experiment(experiment_id)
        stopped = experiment.stopped(now_micros(), reason)
        if stopped == experiment:
            return Transition(state, state, (experiment,), needed=False)
        return Transition(state, state.running(None), (stopped,), (experiment,))

    return plan


def commit(transition: Transition, store: Store) -> State:
    """Store a transition; raises StateChanged where the store is no longer as it was before."""
    return store.change(transition.before.revision, transition.after, transition.changed)


def commit_unless_changed(transition: Transition, store: Store) -> State:
    """Store a transition if the store is as it was before; returns the state that the store then has."""
    state = store.state()
    return commit(transition, store) if state == transition.before else state
