"""The state that all workers of all replicas share, and the changes that an operator can request."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from core.experiments.experiment import Experiment

Kind: TypeAlias = Literal["load", "unload", "switch", "activate", "stop"]


class Action(msgspec.Struct, frozen=True):
    """A requested change of a version (load, unload, switch) or of an experiment (activate, stop)."""

    kind: Kind
    name: str


class Replaced(msgspec.Struct, frozen=True):
    """A version of an experiment whose bundle has the digest `found` instead of the one at activation."""

    experiment_id: str
    version: str
    found: str


class Served(msgspec.Struct, frozen=True):
    """What a worker serves, so that another one can serve the same.

    digests: of the loaded versions. errors: why versions could not be loaded. generations: the value in State.loads at
    the last attempt to load, of every version for which there was one.
    """

    digests: dict[str, str]
    errors: dict[str, str]
    generations: dict[str, int]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The shared state, replaced as a whole; every change raises `revision` by one.

    active: the version of the last switch; None before the first one, and then the models folder's order decides.
    unloaded: versions unloaded by an operator; all other versions of the models folder are loaded.
    loads: the number of load requests by version; a worker reads the bundle again when the number has grown.
    experiment: the active experiment. user_key: the key of the users' pseudonyms, in hexadecimal.
    """

    revision: int = 0
    active: str | None = None
    unloaded: tuple[str, ...] = ()
    loads: dict[str, int] = {}
    experiment: Experiment | None = None
    user_key: str = ""

    def loading(self, version: str) -> State:
        """The state after a request to load this version from its present bundle."""
        return msgspec.structs.replace(
            self,
            unloaded=tuple(v for v in self.unloaded if v != version),
            loads={**self.loads, version: self.loads.get(version, 0) + 1},
        )

    def unloading(self, version: str) -> State:
        """The state after this version was unloaded."""
        return msgspec.structs.replace(self, unloaded=(*(v for v in self.unloaded if v != version), version))

    def switching(self, version: str) -> State:
        """The state after a switch to this version."""
        unloaded = tuple(v for v in self.unloaded if v != version)
        return msgspec.structs.replace(self, active=version, unloaded=unloaded)

    def running(self, experiment: Experiment | None) -> State:
        """The state with this experiment active and its versions loaded, or with no active experiment."""
        versions = () if experiment is None else experiment.versions
        unloaded = tuple(v for v in self.unloaded if v not in versions)
        return msgspec.structs.replace(self, experiment=without_rules(experiment), unloaded=unloaded)


def without_rules(experiment: Experiment | None) -> Experiment | None:
    """An experiment as a state has it: a rule that `evaluate` chooses must not make two equal states differ."""
    return None if experiment is None else msgspec.structs.replace(experiment, label_rules=())
