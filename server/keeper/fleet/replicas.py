"""The other replicas: servers that use the same store, and the versions that they have."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Iterable

from core.bundles.repository import Repository
from core.errors import BundleRefused, Conflict, StoreUnavailable, UnknownVersion
from core.log_event import LogEvent
from core.serving.replicas import Replica, ReplicaVersion
from core.serving.state import Served, State
from core.store.interface import CONNECTED_SECONDS, Store
from server.keeper.fleet.members import Members
from server.keeper.store_access import StoreAccess
from server.protocol.messages import Others

log = logging.getLogger(__name__)

REPORT_SECONDS = 2.0
# A change of what this replica serves is reported within this time.
LOOK_SECONDS = 0.1
LEAVE_SECONDS = 1.0


class ReplicaLacksVersion(Conflict):
    """A connected replica cannot serve the version. behind: it may only have to follow the state first."""

    def __init__(self, message: str, *, behind: bool) -> None:
        super().__init__(message)
        self.behind = behind


class Replicas:
    """Reports this replica to the others through the store, and knows what they have reported.

    A store that is one server's file has no others, and nothing is written.
    """

    def __init__(self, name: str, store: StoreAccess, members: Members, repository: Repository) -> None:
        self.replica_id = secrets.token_hex(8)
        self.others: tuple[Replica, ...] = ()
        self._name = name
        self._store = store
        self._members = members
        self.repository = repository
        self._revision = -1  # of the last state that all workers serve
        self._reported: tuple[Served | None, int] | None = None  # what the workers served, and their revision
        self._at = -math.inf  # when that was reported, of time.monotonic()
        self._differing: frozenset[tuple[str, str, str]] = frozenset()

    async def report(self, state: State) -> None:
        """Report this replica if that is due, and tell the workers what the others have reported."""
        if not await self._store.attempt(lambda store: store.is_shared):
            return
        served, due = self._members.agreement.served, time.monotonic() >= self._at + REPORT_SECONDS
        if self._members.idle:
            self._revision = state.revision
        if not due and (served, self._revision) == self._reported:
            return
        own = await asyncio.to_thread(self._own, served, self._revision, self._members.active)
        try:
            found = await self._store.attempt(lambda store: store.report(own))
        except StoreUnavailable:
            if time.monotonic() > self._at + CONNECTED_SECONDS:  # it is unknown whether they still run
                self._know(own, ())
            raise
        self._reported, self._at = (served, own.revision), time.monotonic()
        self._know(own, tuple(each for each in found if each.replica_id != self.replica_id))

    async def leave(self) -> None:
        """Tell the others that this replica ends. If the store does not answer, they find out by themselves."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._store.attempt(lambda store: store.leave(self.replica_id) if store.is_shared else None)
        except (StoreUnavailable, TimeoutError):
            return

    def require(self, store: Store, versions: Iterable[str], revision: int) -> None:
        """Raise ReplicaLacksVersion if another connected replica cannot serve one of the versions.

        Blocks. `revision`: of the state that the change is based on.
        """
        others = [each for each in store.replicas() if each.replica_id != self.replica_id] if store.is_shared else []
        for version in versions:
            lacking = [each for each in others if not each.of(version).available]
            if lacking:
                first = lacking[0]
                raise ReplicaLacksVersion(
                    f"replica {first.name} cannot serve version {version}: {first.of(version).error}; publish it there"
                    f" and load it, then try again; or stop that replica",
                    behind=all(each.revision < revision for each in lacking),
                )

    def _own(self, served: Served | None, revision: int, active: str | None) -> Replica:
        digests, errors = ({}, {}) if served is None else (served.digests, served.errors)
        versions = {version: ReplicaVersion(digest, loaded=True) for version, digest in digests.items()}
        for version in dict.fromkeys((*self.repository.listing().versions, *errors)):
            if version not in versions:
                versions[version] = self._on_disk(version, errors.get(version))
        return Replica(self.replica_id, self._name, revision, active, versions)

    def _on_disk(self, version: str, error: str | None) -> ReplicaVersion:
        try:
            _, digest = self.repository.described(version)
        except (BundleRefused, UnknownVersion) as refused:
            return ReplicaVersion(None, loaded=False, error=error or str(refused))
        return ReplicaVersion(digest, loaded=False, error=error)

    def _know(self, own: Replica, others: tuple[Replica, ...]) -> None:
        if others != self.others:
            self._follow(others)
        self._compare(own)  # also if only this replica has changed

    def _follow(self, others: tuple[Replica, ...]) -> None:
        before, now = ({each.replica_id: each.name for each in known} for known in (self.others, others))
        for replica_id in now.keys() - before.keys():
            log.info(LogEvent("replica_connected", replica=now[replica_id]))
        for replica_id in before.keys() - now.keys():
            log.warning(LogEvent("replica_disconnected", replica=before[replica_id]))
        self.others = others
        self._members.tell(Others(others))

    def _compare(self, own: Replica) -> None:
        """Log each version of which another replica serves another bundle, once."""
        differing = set()
        for other in self.others:
            for version, here in own.versions.items():
                there = other.of(version)
                if here.loaded and there.loaded and here.digest != there.digest:
                    differing.add((other.replica_id, version, f"{there.digest}"))
                    if (other.replica_id, version, f"{there.digest}") not in self._differing:
                        effect = "the replicas answer differently; publish the same bundle on both, then load it"
                        log.warning(
                            LogEvent(
                                "replica_differs",
                                replica=other.name,
                                version=version,
                                here=here.digest,
                                there=there.digest,
                                effect=effect,
                            )
                        )
        self._differing = frozenset(differing)
