"""What each replica serves, as the replicas of one store tell each other."""

from __future__ import annotations

import msgspec


class ReplicaVersion(msgspec.Struct, frozen=True):
    """A version on one replica.

    digest: of the loaded bundle, else of the one in the replica's models folder; None if none can be read there.
    error: why it is not loaded; None if loading was not tried, or has succeeded.
    """

    digest: str | None
    loaded: bool
    error: str | None = None

    @property
    def available(self) -> bool:
        """Whether the replica serves the version, or can load it when it becomes active."""
        return self.loaded or (self.digest is not None and self.error is None)


class Replica(msgspec.Struct, frozen=True):
    """One server with its keeper. revision: of the state that it follows. active: the version that answers there."""

    replica_id: str
    name: str
    revision: int
    active: str | None
    versions: dict[str, ReplicaVersion]

    def of(self, version: str) -> ReplicaVersion:
        """A version on this replica, whether it has it or not."""
        return self.versions.get(version) or ReplicaVersion(None, loaded=False, error="not in its models folder")
