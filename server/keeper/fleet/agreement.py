"""The bundles that all workers of a server serve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from core.errors import Conflict
from core.serving.state import Action, Served, State


class Agreement:
    """What all workers serve: what the first one has loaded for a state. Every later one loads the same bundles."""

    def __init__(self) -> None:
        self.served: Served | None = None  # None until the first worker has loaded something
        self._change = 0  # for which it was decided

    def follow(self, change: int, found: Served, *, by_all: bool) -> bool:
        """Adopt what a worker has loaded for a state, if it is the first one; returns whether it is.

        by_all: the change was given to all workers. Otherwise one worker joins the others, and it leads only if it has
        attempted to load what they have not, because its state is newer. A worker never leads that could not load what
        the others serve.
        """
        if change < self._change or self._lacks(found):
            return False
        before = self.served
        if before is not None and (change <= self._change if by_all else found.generations == before.generations):
            return False
        self.served, self._change = found, change
        return True

    def changed(self, change: int, found: Sequence[Served], versions: Iterable[str]) -> None:
        """Adopt the result of a change that all workers have made together, and that has loaded these versions.

        A worker that serves other bundles than agreed for the other versions changes nothing of the agreement.
        """
        if not found:
            return
        before = {} if self.served is None else self.served.digests
        nearest = min(found, key=lambda each: len(self.differences(each)))
        digests = {
            version: digest if version in versions else before.get(version, digest)
            for version, digest in nearest.digests.items()
        }
        self.served, self._change = msgspec.structs.replace(nearest, digests=digests), change

    def _lacks(self, found: Served) -> bool:
        """Whether a worker lacks a version that the others serve, and that was neither unloaded nor loaded again."""
        if self.served is None:
            return False
        before = self.served
        return any(
            version in found.generations and found.generations[version] == before.generations.get(version)
            for version in before.digests.keys() - found.digests.keys()
        )

    def differences(self, found: Served | None) -> list[str]:
        """The versions of which a worker has another bundle than agreed, and those that only it has or lacks."""
        if found is None or self.served is None:
            return []
        return sorted({version for version, _ in found.digests.items() ^ self.served.digests.items()})


def versions_loaded_by(action: Action | None, state: State) -> tuple[str, ...]:
    """The versions that an action may load from the models folder, on every worker."""
    if action is None:
        return ()
    if action.kind == "activate":
        return () if state.experiment is None else state.experiment.versions
    return (action.name,) if action.kind in {"load", "switch"} else ()


def require_equal(found: Sequence[Served], versions: Iterable[str]) -> None:
    """Raise Conflict if the workers have read different bundles, because one was replaced between their reads."""
    for version in versions:
        if len({each.digests.get(version) for each in found}) > 1:
            raise Conflict(f"bundle {version} was replaced during the change: nothing is changed, try again")
