"""How this server is now, with a sentence for each thing that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

from core.version import VERSION
from server.http.envelope import Json
from server.keeper.changes import Changes
from server.keeper.dashboard.totals import ServerCounts
from server.keeper.fleet.members import Members
from server.keeper.fleet.replicas import Replicas
from server.keeper.store_access import StoreAccess
from server.protocol.messages import replica_name
from server.protocol.pages import Watched, iso_ms
from server.settings import Settings

_STOPPING = "the server is stopping"  # as /readyz has it


class Problem(NamedTuple):
    """Something that is wrong. text: sentences that say what it means and what to do. docs/alerts.md has more."""

    code: str
    text: str


class ThisServer(NamedTuple):
    """What the keeper knows of this server."""

    settings: Settings
    store: StoreAccess
    members: Members
    changes: Changes
    replicas: Replicas
    started: datetime

    @classmethod
    def starting(
        cls, settings: Settings, store: StoreAccess, members: Members, changes: Changes, replicas: Replicas
    ) -> ThisServer:
        """The server that starts now."""
        return cls(settings, store, members, changes, replicas, datetime.now(UTC))

    @property
    def name(self) -> str:
        """The name of this replica."""
        return replica_name(None if self.settings.unix_socket else self.settings.port)

    def now(self, totals: ServerCounts, workers: Iterable[Watched]) -> Json:
        """How it is. workers: what each of them has told last."""
        told, members, settings = list(workers), self.members, self.settings
        troubles = list(dict.fromkeys(each.trouble for each in told if each.trouble is not None))
        ready = bool(len(members)) and members.active is not None and not members.stopping and not troubles
        own = {"name": self.name, "active_version": members.active, "revision": self.changes.state.revision}
        others = [
            {"name": each.name, "active_version": each.active, "revision": each.revision, "this": False}
            for each in self.replicas.others
        ]
        return {
            "at": iso_ms(totals.at),
            "ready": ready,
            "healthy": members.active is not None,
            "problems": [each._asdict() for each in self._problems(told, troubles)],
            "active_version": members.active,
            "environment": settings.environment,
            "release": VERSION,
            "started": self.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "in_progress": totals.in_progress,
            "max_in_progress": settings.max_in_flight * max(1, len(members)),
            "workers": len(members),
            "workers_configured": settings.workers,
            "workers_lost": members.lost,
            "memory": {"workers": totals.memory("worker"), "keeper": totals.memory("keeper")},
            "journal_bytes": self.store.bytes_waiting,
            "exposures_waiting": sum(each.waiting for each in told),
            "replica": self.name,
            "replicas": [own | {"this": True}, *others],
            "revision": self.changes.state.revision,
        }

    def _problems(self, told: list[Watched], troubles: list[str]) -> Iterator[Problem]:
        yield from chain(self._of_versions(told, troubles), self._of_processes(told), self._of_replicas())

    def _of_versions(self, told: list[Watched], troubles: list[str]) -> Iterator[Problem]:
        members = self.members
        if len(members) and members.active is None:
            yield Problem(
                "no_version",
                "No version is loaded, so every prediction is answered 503. Restore the files of a version in the"
                " models folder, then load it.",
            )
        for trouble in troubles:
            if trouble != _STOPPING and members.active is not None:
                yield Problem(
                    "not_ready",
                    f"{_sentence(trouble)} /readyz answers 503, so that a load balancer prefers other replicas. Restore"
                    " the version's files and load it, or switch to another version.",
                )
        served = members.agreement.served
        for version, error in {} if served is None else served.errors.items():
            yield Problem(
                "version_not_loaded",
                f"Version {version} could not be loaded: {error}. Restore or convert it, then load it; or unload it, if"
                " it is not wanted.",
            )
        for version, reason in {version: why for each in told for version, why in each.failing.items()}.items():
            yield Problem(
                "version_failing",
                f"{_sentence(reason)} Other versions answer in its place, and {version} is tried each second. Switch to"
                " a version that works, and convert the failing one again.",
            )

    def _of_processes(self, told: list[Watched]) -> Iterator[Problem]:
        members, store, configured = self.members, self.store, self.settings.workers
        if members.stopping:
            yield Problem(
                "stopping",
                "The server is stopping: /readyz answers 503, and requests are still answered until it ends. If"
                " that is not wanted, look at what supervises it.",
            )
        elif len(members) < configured:
            yield Problem(
                "workers_missing",
                f"{len(members)} of {configured} workers run. An ended worker is replaced within seconds; if it is not,"
                " the log has the reason (worker_ended, worker_start_failed): memory, or the limit of processes.",
            )
        if store.degraded is not None:
            yield Problem(
                "store_degraded",
                # Without the error's text, which can have addresses and paths.
                "Management calls are answered 503, because the store cannot be used. Predictions go on and are"
                " recorded in the journals. The log has the reason (store_unavailable): disk, permissions or database.",
            )
        if any(each.journal_degraded for each in told):
            waiting = sum(each.waiting for each in told)
            yield Problem(
                "journal_degraded",
                f"Journals cannot be written. {waiting:,} records wait in the memory of workers, and would be lost with"
                " them. Look at the disk of REVERSAL_JOURNALS (journal_unwritable in the log); it recovers by itself.",
            )

    def _of_replicas(self) -> Iterator[Problem]:
        served = self.members.agreement.served
        here = {} if served is None else served.digests
        for other in self.replicas.others:
            differing = [
                version
                for version, digest in here.items()
                if (there := other.of(version)).loaded and there.digest != digest
            ]
            if differing:
                yield Problem(
                    "digests_differ",
                    f"Replica {other.name} serves another bundle of {', '.join(differing)} than this one, so that they"
                    " answer differently. Publish the same bundle on both, then load it.",
                )
            if other.active != self.members.active:
                yield Problem(
                    "versions_differ",
                    f"Replica {other.name} answers with {other.active or 'no version'}, this one with"
                    f" {self.members.active or 'none'}. A version is missing in one of the models folders: copy it"
                    " there and load it, or switch to one that all have.",
                )


def _sentence(reason: str) -> str:
    """A reason as a sentence."""
    return f"{reason[:1].upper()}{reason[1:]}."
