"""The folder of the old service's experiments: reading all files, and writing them to the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from core.store.interface import Store
from migration import old_file
from migration.old_fields import BadFile
from migration.old_file import OldExperiment
from migration.plan import Plan, Surroundings, make_plan


class EmptyFolder(Exception):
    """There is no file to import; the message names the folder."""


def read(folder: Path) -> dict[str, OldExperiment | BadFile]:
    """Read every `*.json` of a folder: by its name, what it says or why it cannot be imported. Raises EmptyFolder."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise EmptyFolder(f"{folder}: no *.json file in this folder")
    return {file.name: _read(file) for file in files}


def write(store: Store, files: Mapping[str, OldExperiment | BadFile], versions: Collection[str] = ()) -> Plan:
    """Write all experiments that can be imported in one transaction, and return what became of each file.

    `versions` are those of the models folder; none if they are not known. What is stored is not changed. Raises
    StoreUnavailable or StateChanged; after an error the store is unchanged.
    """
    state = store.state()
    stored = {experiment.experiment_id: experiment for experiment in store.experiments()}
    plan = make_plan(files, Surroundings(stored, state, versions))
    if plan.new:
        store.change(state.revision, state.running(plan.resumes) if plan.resumes else state, plan.new)
    return plan


def _read(file: Path) -> OldExperiment | BadFile:
    try:
        return old_file.read(file)
    except BadFile as bad:
        return bad
