"""Read the experiments of the old service, one JSON file each, with their counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from core.bundles.manifest import VersionName
from core.errors import InvalidInput
from core.experiments.experiment import (
    VARIANTS,
    Experiment,
    ExperimentId,
    ImportedCounts,
    Micros,
    Share,
    Status,
    Variant,
)
from core.inference.decision import Signal
from core.serving.state import State
from core.store.interface import Store

Fields: TypeAlias = Mapping[str, Any]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Sum: TypeAlias = Annotated[float, Meta(ge=0)]

# The default of a field that must be present.
REQUIRED = object()

STOP_REASON = "it was not active in the old service"
STOPPED_SOMETIME = f"{STOP_REASON}, which did not record when it stopped"

# The order in which the status of an experiment changes. It can have changed since an earlier import.
_STATUSES: tuple[Status, ...] = ("draft", "active", "stopped")

# Releases of the old service used different names. Each tuple has the names of one value. The first name that is
# present with a value other than null counts.
_ID = ("experiment_id", "id")
_CREATED = ("created_at", "created")
_STARTED = ("activated_at", "started_at", "start_time", "start_date")
_ENDED = ("stopped_at", "ended_at", "end_time", "end_date")
_ACTIVE = ("active", "is_active")
_VERSION = ("model_version", "version", "model")
_PREDICTIONS = ("predictions", "metrics")
_COUNT = ("count", "total", "total_predictions")
_TOTAL = ("total_confidence", "confidence_sum")
_MEAN = ("avg_confidence", "mean_confidence", "average_confidence")
_VARIANT: dict[Variant, tuple[str, ...]] = {
    "A": ("variant_a", "A", "a", "model_a"),
    "B": ("variant_b", "B", "b", "model_b"),
}


# For these types, msgspec's message would show a regular expression.
_EXPECTED = {
    ExperimentId: "expected 1 to 64 letters, digits and _ . -, not starting with .",
    VersionName: "expected 1 to 64 letters, digits and _ . -, starting with a letter, a digit or _",
}


class LegacyRefused(ValueError):
    """Files that cannot be imported. The message has a line for each: the file, the field, and what is wrong."""


class Imported(NamedTuple):
    """The ids that were written, and the ids that an earlier import had written."""

    new: tuple[str, ...]
    already_there: tuple[str, ...]


def read_folder(folder: Path) -> list[Experiment]:
    """Read every `*.json` of a folder as an experiment in split mode. Raises LegacyRefused, which names all faults."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise LegacyRefused(f"{folder}: no *.json file in this folder")
    problems: list[str] = []
    found: dict[str, Experiment] = {}
    for file in files:
        try:
            found[file.name] = _read(file)
        except _Bad as bad:
            problems.append(f"{file.name}: {bad}")
    problems += _twice(found)
    active = [name for name, experiment in found.items() if experiment.status == "active"]
    if len(active) > 1:
        problems.append(f"{', '.join(active)}: are all active, but only one can be; set active to false in the others")
    if problems:
        raise LegacyRefused("\n".join(problems))
    return list(found.values())


def write(store: Store, experiments: Sequence[Experiment]) -> Imported:
    """Write the experiments to the store in one transaction. An active one resumes.

    An experiment that an earlier import has written is not changed. Raises LegacyRefused if an id belongs to an
    experiment that was not imported, or was imported with other contents, or if another experiment is active. Raises
    StoreUnavailable or StateChanged. After an error the store is unchanged.
    """
    present = {experiment.experiment_id: experiment for experiment in store.experiments()}
    problems = [
        f"{experiment.experiment_id}: {problem}"
        for experiment in experiments
        if (there := present.get(experiment.experiment_id)) and (problem := _problem(experiment, there))
    ]
    if problems:
        raise LegacyRefused("\n".join(problems))
    new = [experiment for experiment in experiments if experiment.experiment_id not in present]
    if new:
        state = store.state()
        store.change(state.revision, _resumed(state, new), new)
    return Imported(
        tuple(experiment.experiment_id for experiment in new),
        tuple(e.experiment_id for e in experiments if e.experiment_id in present),
    )


def _problem(experiment: Experiment, there: Experiment) -> str | None:
    """Why the stored experiment is not this one, imported before and possibly activated or stopped since; or None."""
    if there.imported is None:
        return "the store has an experiment with this id that was not imported"
    if _STATUSES.index(there.status) > _STATUSES.index(experiment.status):
        experiment = msgspec.structs.replace(
            experiment,
            status=there.status,
            activated_at=there.activated_at if experiment.status == "draft" else experiment.activated_at,
            stopped_at=there.stopped_at,
            stop_reason=there.stop_reason,
        )
    names = [name for name in there.__struct_fields__ if getattr(there, name) != getattr(experiment, name)]
    return f"imported before with other contents: {', '.join(names)}" if names else None


def _resumed(state: State, new: Sequence[Experiment]) -> State:
    """The state after the active one of the new experiments has resumed."""
    active = next((experiment for experiment in new if experiment.status == "active"), None)
    if active is None:
        return state
    if state.experiment is not None:
        raise LegacyRefused(
            f"{active.experiment_id}: active, but {state.experiment.experiment_id} is active too; stop that one first"
        )
    return state.running(active)


def _twice(found: Mapping[str, Experiment]) -> list[str]:
    first: dict[str, str] = {}
    problems = []
    for name, experiment in found.items():
        other = first.setdefault(experiment.experiment_id, name)
        if other != name:
            problems.append(f"{name}: experiment_id: {experiment.experiment_id!r} is also the id in {other}")
    return problems


class _Bad(Exception):
    """The path of a field, and what is wrong with it."""


def _read(file: Path) -> Experiment:
    try:
        data = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _Bad(f"cannot be read: {error}") from None
    experiment_id = _take(data, _ID, ExperimentId)
    created, started, ended = (_instant(data, names) for names in (_CREATED, _STARTED, _ENDED))
    first = next((at for at in (created, started, ended) if at is not None), None)
    if first is None:
        raise _Bad(f"{_CREATED[0]}: missing")
    imported = _counts(data)
    ran = started is not None or ended is not None or any(counts.count for counts in imported.values())
    active = _take(data, _ACTIVE, bool)
    status: Status = "active" if active else "stopped" if ran else "draft"
    try:
        return Experiment(
            experiment_id=experiment_id,
            name=_take(data, ("name",), str, experiment_id),
            description=_take(data, ("description",), str, ""),
            variant_a=_version(data, "A"),
            variant_b=_version(data, "B"),
            traffic_split=_take(data, ("traffic_split",), Share),
            status=status,
            created_at=first,
            activated_at=None if status == "draft" else started or first,
            stopped_at=ended if status == "stopped" else None,
            stop_reason=None if status != "stopped" else STOPPED_SOMETIME if ended is None else STOP_REASON,
            imported=imported,
        )
    except InvalidInput as error:
        raise _Bad(error.message) from None


def _version(data: Fields, variant: Variant) -> str:
    """A variant's version: from `variant_a` or `variants`, as text or as an object with the version in it."""
    path, fields = "", data
    if data.get("variants") is not None:
        path, fields = "variants.", _take(data, ("variants",), dict[str, Any])
    name = _name(fields, _VARIANT[variant])
    if isinstance(fields.get(name), dict):
        path, fields, name = f"{path}{name}.", fields[name], _name(fields[name], _VERSION)
    version: str = _take(fields, (name,), VersionName, path=path)
    return version


def _counts(data: Fields) -> dict[Variant, ImportedCounts]:
    """The counts of both variants; zeros for a variant without answers."""
    key = _name(data, _PREDICTIONS)
    by_variant = _take(data, (key,), dict[str, Any], {})
    known = {name for names in _VARIANT.values() for name in names}
    for name in by_variant:
        if name not in known:
            raise _Bad(f"{key}.{name}: not a variant, expected A or B")
    return {variant: _variant_counts(by_variant, key, _name(by_variant, _VARIANT[variant])) for variant in VARIANTS}


def _variant_counts(by_variant: Fields, key: str, name: str) -> ImportedCounts:
    path = f"{key}.{name}."
    fields = _take(by_variant, (name,), dict[str, Any], {}, path=f"{key}.")
    count = _take(fields, _COUNT, Count, 0, path=path)
    signals = _take(fields, ("signals",), dict[Signal, Count], {}, path=path)
    mean = _take(fields, _MEAN, Share, None, path=path)
    total = _take(fields, _TOTAL, Sum, None if mean is None else mean * count, path=path)
    if total is None:
        if count:
            raise _Bad(f"{path}{_TOTAL[0]}: missing, and {_MEAN[0]} too; one of them is needed for {count} predictions")
        total = 0.0
    if total > count:
        raise _Bad(f"{path}{_TOTAL[0]}: {total} for {count} predictions is a mean above 1")
    if sum(signals.values()) != count:
        raise _Bad(f"{path}signals: the sum is {sum(signals.values())}, but the count is {count}")
    all_signals: dict[str, int] = {"long": 0, "short": 0, "hold": 0}
    return ImportedCounts(count, all_signals | signals, total)


def _instant(data: Fields, names: tuple[str, ...]) -> Micros | None:
    """ISO 8601 (UTC if it names no zone) or seconds since 1970, in microseconds; None if there is no value."""
    name = _name(data, names)
    value = _take(data, (name,), str | float | None, None)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise _Bad(f"{name}: {value!r} is not a time, expected ISO 8601 or seconds since 1970") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return round(instant.timestamp() * 1_000_000)


def _take(data: Fields, names: tuple[str, ...], kind: Any, default: Any = REQUIRED, *, path: str = "") -> Any:  # noqa: ANN401 - each has its type
    """The checked value under the first of the names that is present and not null. Raises _Bad."""
    name = _name(data, names)
    value = data.get(name)
    if value is None:
        if default is REQUIRED:
            raise _Bad(f"{path}{name}: missing")
        return default
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _Bad(f"{path}{name}: {_EXPECTED.get(kind, error)}") from None


def _name(data: Fields, names: tuple[str, ...]) -> str:
    return next((name for name in names if data.get(name) is not None), names[0])
