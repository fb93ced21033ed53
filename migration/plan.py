"""The plan of an import: what becomes of each file, given the other files, the store and the models folder."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from core.experiments.experiment import Experiment, Status
from core.serving.state import State
from migration.old_fields import BadFile
from migration.old_file import OldExperiment, as_draft, draft_change

# changed: imported, but not as the file says. left: not imported.
Fate: TypeAlias = Literal["imported", "changed", "left", "already_there"]

# The order in which the status of an experiment changes. It can have changed since an earlier import.
_STATUSES: tuple[Status, ...] = ("draft", "active", "stopped")
# The fields that come from a file. This service fills others after the import.
_FROM_FILE = (
    *("name", "description", "variant_a", "variant_b", "traffic_split", "created_at", "imported"),
    *("status", "activated_at", "stopped_at", "stop_reason"),
)


class Result(NamedTuple):
    """What becomes of one file. `notes` say what was changed and what is missing, or why it was left."""

    file: str
    fate: Fate
    experiment_id: str | None
    notes: tuple[str, ...] = ()


class Plan(NamedTuple):
    """All results, one for each file, and the experiments to store.

    resumes: the new experiment that is active. claims: the experiments of the files that say active, if there are
    several of them, so that none resumes.
    """

    results: tuple[Result, ...]
    new: tuple[Experiment, ...]
    resumes: Experiment | None
    claims: tuple[Experiment, ...]


class Surroundings(NamedTuple):
    """What the store and the models folder hold. `versions` is empty if they are not known."""

    stored: Mapping[str, Experiment]
    state: State
    versions: Collection[str]


def make_plan(files: Mapping[str, OldExperiment | BadFile], around: Surroundings) -> Plan:
    """Decide on every file. One that cannot be imported does not affect the others."""
    found = {file: old for file, old in files.items() if not isinstance(old, BadFile)}
    twice = _twice(found)
    claims = {old.experiment.experiment_id: old.experiment for old in found.values() if old.says_active}
    results: list[Result] = []
    new: dict[str, Experiment] = {}
    for file, old in files.items():
        if isinstance(old, BadFile):
            results.append(Result(file, "left", None, (str(old),)))
            continue
        name = old.experiment.experiment_id
        there = around.stored.get(name)
        if problem := twice.get(file) or (there and _problem(old.experiment, there)):
            results.append(Result(file, "left", name, (problem,)))
        elif there is not None or name in new:
            results.append(Result(file, "already_there", name))
        else:
            result, new[name] = _imported(file, old, around, list(claims))
            results.append(result)
    resumes = next((experiment for experiment in new.values() if experiment.status == "active"), None)
    left = {result.experiment_id for result in results if result.fate == "left"}
    undecided = len(claims) > 1 and not claims.keys().isdisjoint(new)
    shown = [claim for name, claim in claims.items() if name not in left] if undecided else []
    return Plan(tuple(results), tuple(new.values()), resumes, tuple(shown))


def _imported(file: str, old: OldExperiment, around: Surroundings, claims: list[str]) -> tuple[Result, Experiment]:
    experiment = old.experiment
    missing = [v for v in dict.fromkeys(experiment.versions) if around.versions and v not in around.versions]
    changes, remarks = [*old.changes], [f"{version} is not in the models folder" for version in missing]
    if experiment.status == "active" and (cause := _not_resumed(around.state, missing, claims)):
        changes.append(draft_change(cause, experiment.created_at, experiment.activated_at))
        experiment = as_draft(experiment)
    fate: Fate = "changed" if changes else "imported"
    return Result(file, fate, experiment.experiment_id, (*changes, *remarks)), experiment


def _not_resumed(state: State, missing: list[str], claims: list[str]) -> str | None:
    """Why an active experiment does not resume, or None if it does."""
    if len(claims) > 1:
        # The old service wrote counts only at every tenth prediction, so they do not tell which one ran.
        return f"{len(claims)} files say active"
    if state.experiment is not None:
        return f"{state.experiment.experiment_id} is active here"
    return "not all of its versions are here" if missing else None


def _problem(experiment: Experiment, there: Experiment) -> str | None:
    """Why the stored experiment is not this one, imported before and possibly activated or stopped since; or None."""
    if there.imported is None:
        return "the store has an experiment with this id that was not imported; give this one another experiment_id"
    # An active one may have been stored as a draft, because of what was beside it at that time.
    forms = [experiment, as_draft(experiment)] if experiment.status == "active" else [experiment]
    differences = [_differences(form, there) for form in forms]
    if not all(differences):
        return None
    names = ", ".join(differences[0])
    return f"imported before with other contents ({names}), which are kept; give this one another experiment_id"


def _differences(experiment: Experiment, there: Experiment) -> list[str]:
    if _STATUSES.index(there.status) > _STATUSES.index(experiment.status):
        experiment = msgspec.structs.replace(
            experiment,
            status=there.status,
            activated_at=there.activated_at if experiment.status == "draft" else experiment.activated_at,
            stopped_at=there.stopped_at,
            stop_reason=there.stop_reason,
        )
    return [name for name in _FROM_FILE if getattr(there, name) != getattr(experiment, name)]


def _twice(found: Mapping[str, OldExperiment]) -> dict[str, str]:
    """The files whose id another file has with other contents, each with its problem."""
    by_id: dict[str, list[str]] = {}
    for file, old in found.items():
        by_id.setdefault(old.experiment.experiment_id, []).append(file)
    return {
        file: f"{', '.join(other for other in files if other != file)} has the same id {name} with other contents;"
        " give one of them another experiment_id"
        for name, files in by_id.items()
        if any(found[file].experiment != found[files[0]].experiment for file in files)
        for file in files
    }
