"""One file of the old service: an experiment with its counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from core.bundles.manifest import VersionName
from core.errors import quoted
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
from core.files import regular_file
from core.inference.decision import Signal
from migration.names import usable
from migration.old_fields import BadFile, Fields, name_of, take, take_instant

# The largest integer that every JSON reader keeps.
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 53)]
Sum: TypeAlias = Annotated[float, Meta(ge=0)]

STOP_REASON = "it was not active in the old service"
STOPPED_SOMETIME = f"{STOP_REASON}, which did not record when it stopped"

_MOST_BYTES = 1 << 20

# Releases of the old service used different names. Each tuple has the names of one value. The first name that is
# present with a value other than null counts.
_ID = ("experiment_id", "id")
_CREATED = ("created_at", "created")
_ACTIVATED = ("activated_at", "started_at")
# The old service wrote `start_time` when it created an experiment.
_START = ("start_time", "start_date")
_STARTED = (*_ACTIVATED, *_START)
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


class OldExperiment(NamedTuple):
    """What a file says.

    experiment: as this service stores it, if it can resume where the file says so.
    says_active: the file says that the experiment runs, which the old service wrote from its creation on.
    changes: what differs from the file, and why.
    """

    experiment: Experiment
    says_active: bool
    changes: tuple[str, ...] = ()


def read(file: Path) -> OldExperiment:
    """Read a file as an experiment in split mode. Raises BadFile."""
    data = _object(file)
    given_id, given_a, given_b = take(data, _ID, str), _version(data, "A"), _version(data, "B")
    experiment_id = usable(given_id, ExperimentId)
    version_a, version_b = usable(given_a, VersionName), usable(given_b, VersionName)
    imported = _counts(data)
    life = _life(data, counted=any(counts.count for counts in imported.values()))
    if version_a == version_b:
        life = life.as_stopped(f"both variants are {version_a}")
    elif experiment_id != given_id:
        life = life.as_draft("users are assigned by the id, so the new one would move them")
    experiment = Experiment(
        experiment_id=experiment_id,
        name=take(data, ("name",), str, given_id),
        description=take(data, ("description",), str, ""),
        variant_a=version_a,
        variant_b=version_b,
        traffic_split=take(data, ("traffic_split",), Share),
        status=life.status,
        created_at=life.created_at,
        activated_at=None if life.status == "draft" else life.activated_at,
        stopped_at=life.stopped_at if life.status == "stopped" else None,
        stop_reason=life.stop_reason if life.status == "stopped" else None,
        imported=imported,
    )
    _check_storable(experiment)
    renamed = (
        ("experiment_id", given_id, experiment_id),
        ("variant_a", given_a, version_a),
        ("variant_b", given_b, version_b),
    )
    changes = [f"{field} {quoted(old)} became {new}" for field, old, new in renamed if old != new]
    return OldExperiment(experiment, life.says_active, (*changes, *([life.change] if life.change else [])))


def as_draft(experiment: Experiment) -> Experiment:
    """An active experiment as a draft, which can be activated. Its counts stay."""
    return msgspec.structs.replace(experiment, status="draft", activated_at=None)


def draft_change(cause: str, created_at: Micros, activated_at: Micros | None) -> str:
    """The change from active to draft in words, with the time of the activation, which a draft does not keep."""
    since = ""
    if activated_at is not None and activated_at != created_at:
        since = f" since {datetime.fromtimestamp(activated_at / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"a draft instead of active{since}: {cause}"


def _object(file: Path) -> Fields:
    try:
        # Python's module wrote the files, and it reads what it wrote: NaN is a number.
        data = json.loads(regular_file.read(file, _MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(data, dict):
        raise BadFile("cannot be read: it holds no JSON object")
    return data


def _check_storable(experiment: Experiment) -> None:
    """Raise BadFile for a text with half a surrogate pair, which JSON can hold and no store can."""
    try:
        msgspec.json.encode(experiment)
    except UnicodeEncodeError as error:
        raise BadFile(f"a text has half a character at position {error.start}; write the whole text again") from None


class _Life(NamedTuple):
    """When an experiment was created, activated and stopped, and the status that follows."""

    status: Status
    says_active: bool
    created_at: Micros
    activated_at: Micros
    stopped_at: Micros | None
    stop_reason: str
    change: str | None = None

    def as_draft(self, cause: str) -> _Life:
        """A draft, if the status is active."""
        if self.status != "active":
            return self
        return self._replace(status="draft", change=draft_change(cause, self.created_at, self.activated_at))

    def as_stopped(self, cause: str) -> _Life:
        """Stopped, if the status is another one."""
        if self.status == "stopped":
            return self
        was = "active" if self.says_active or self.status == "active" else "a draft"
        return self._replace(status="stopped", stop_reason=cause, change=f"stopped instead of {was}: {cause}")


def _life(data: Fields, *, counted: bool) -> _Life:
    explicit = any(data.get(name) is not None for name in _ACTIVATED)
    created, started, ended = (take_instant(data, names) for names in (_CREATED, _STARTED, _ENDED))
    if created is None and explicit:
        created = take_instant(data, _START)
    times = [at for at in (created, started, ended) if at is not None]
    if not times:
        raise BadFile(f"{_CREATED[0]}: missing")
    active = take(data, _ACTIVE, bool)
    ran = started is not None or ended is not None or counted
    life = _Life(
        status="active" if active else "stopped" if ran else "draft",
        says_active=active and ended is None,
        created_at=times[0],
        activated_at=times[0] if started is None else started,
        stopped_at=ended,
        stop_reason=STOPPED_SOMETIME if ended is None else STOP_REASON,
    )
    if not active:
        return life
    if ended is not None:
        return life.as_stopped("it has an end time")
    activated = explicit if created is None else started not in (None, created)
    return life if counted or activated else life.as_draft("nothing shows that it was activated")


def _version(data: Fields, variant: Variant) -> str:
    """A variant's version: from `variant_a` or `variants`, as text or as an object with the version in it."""
    path, fields = "", data
    if data.get("variants") is not None:
        path, fields = "variants.", take(data, ("variants",), dict[str, Any])
    name = name_of(fields, _VARIANT[variant])
    if isinstance(fields.get(name), dict):
        path, fields, name = f"{path}{name}.", fields[name], name_of(fields[name], _VERSION)
    version: str = take(fields, (name,), str, path=path)
    return version


def _counts(data: Fields) -> dict[Variant, ImportedCounts]:
    """The counts of both variants; zeros for a variant without answers."""
    key = name_of(data, _PREDICTIONS)
    by_variant = take(data, (key,), dict[str, Any], {})
    known = {name for names in _VARIANT.values() for name in names}
    for name in by_variant:
        if name not in known:
            raise BadFile(f"{key}.{name}: not a variant, expected A or B")
    return {variant: _variant_counts(by_variant, key, name_of(by_variant, _VARIANT[variant])) for variant in VARIANTS}


def _variant_counts(by_variant: Fields, key: str, name: str) -> ImportedCounts:
    path = f"{key}.{name}."
    fields = take(by_variant, (name,), dict[str, Any], {}, path=f"{key}.")
    count = take(fields, _COUNT, Count, 0, path=path)
    signals = take(fields, ("signals",), dict[Signal, Count], {}, path=path)
    mean = take(fields, _MEAN, Share, None, path=path)
    total = take(fields, _TOTAL, Sum, None if mean is None else mean * count, path=path)
    if total is None:
        if count:
            raise BadFile(
                f"{path}{_TOTAL[0]}: missing, and {_MEAN[0]} too; one of them is needed for {count} predictions"
            )
        total = 0.0
    if total > count:
        raise BadFile(f"{path}{_TOTAL[0]}: {total} for {count} predictions is a mean above 1")
    if sum(signals.values()) != count:
        raise BadFile(f"{path}signals: the sum is {sum(signals.values())}, but the count is {count}")
    all_signals: dict[str, int] = {"long": 0, "short": 0, "hold": 0}
    return ImportedCounts(count, all_signals | signals, total)
