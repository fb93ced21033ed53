"""Reading and writing of the state and the experiments."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.errors import Conflict, UnknownExperiment
from core.experiments.experiment import ChosenRule, Experiment
from core.serving.state import State, without_rules
from core.store.drivers.database import Connection
from core.store.interface import StateChanged

_encode = msgspec.json.Encoder().encode
_experiment = msgspec.json.Decoder(Experiment).decode
_state = msgspec.json.Decoder(State).decode


def read_state(connection: Connection) -> State:
    """See Store.state."""
    ((revision, body, experiment_id, user_key),) = connection.rows(
        "SELECT revision, body, experiment_id, (SELECT value FROM meta WHERE name = 'user_key') FROM state"
    )
    experiment = None if experiment_id is None else without_rules(read_experiment(connection, experiment_id))
    return msgspec.structs.replace(_state(body), revision=revision, experiment=experiment, user_key=user_key)


def change_state(connection: Connection, revision: int, state: State, changed: Sequence[Experiment]) -> State:
    """See Store.change."""
    body = msgspec.structs.replace(state, revision=0, experiment=None, user_key="")
    experiment_id = None if state.experiment is None else state.experiment.experiment_id
    touched = connection.run(
        "UPDATE state SET revision = revision + 1, body = ?, experiment_id = ? WHERE revision = ?",
        [_encode(body).decode(), experiment_id, revision],
    )
    if not touched:
        raise StateChanged(f"the state is no longer at revision {revision}")
    connection.run_many(
        "INSERT INTO experiments (experiment_id, created_at, body) VALUES (?, ?, ?) "
        "ON CONFLICT (experiment_id) DO UPDATE SET body = excluded.body",
        [_row(_with_stored_rules(connection, experiment)) for experiment in changed],
    )
    return read_state(connection)


def add_experiment(connection: Connection, experiment: Experiment) -> None:
    """See Store.create."""
    if stored_experiment(connection, experiment.experiment_id) is not None:
        raise Conflict(f"experiment {experiment.experiment_id} already exists")
    connection.run("INSERT INTO experiments (experiment_id, created_at, body) VALUES (?, ?, ?)", _row(experiment))


def stored_experiment(connection: Connection, experiment_id: str) -> Experiment | None:
    """The experiment with this id, or None."""
    rows = connection.rows("SELECT body FROM experiments WHERE experiment_id = ?", [experiment_id])
    return _experiment(rows[0][0]) if rows else None


def read_experiment(connection: Connection, experiment_id: str) -> Experiment:
    """See Store.experiment."""
    found = stored_experiment(connection, experiment_id)
    if found is None:
        raise UnknownExperiment(experiment_id)
    return found


def read_experiments(connection: Connection) -> list[Experiment]:
    """See Store.experiments."""
    rows = connection.rows("SELECT body FROM experiments ORDER BY created_at, experiment_id")
    return [_experiment(body) for (body,) in rows]


def add_rule(connection: Connection, experiment_id: str, chosen: ChosenRule) -> None:
    """Make a rule the experiment's rule. Raises UnknownExperiment."""
    found = read_experiment(connection, experiment_id)
    body = _encode(msgspec.structs.replace(found, label_rules=(*found.label_rules, chosen))).decode()
    connection.run("UPDATE experiments SET body = ? WHERE experiment_id = ?", [body, experiment_id])


def _with_stored_rules(connection: Connection, experiment: Experiment) -> Experiment:
    """The experiment with the stored rules: `evaluate` can have chosen one since the change was planned."""
    stored = stored_experiment(connection, experiment.experiment_id)
    return experiment if stored is None else msgspec.structs.replace(experiment, label_rules=stored.label_rules)


def _row(experiment: Experiment) -> tuple[str, int, str]:
    return experiment.experiment_id, experiment.created_at, _encode(experiment).decode()
