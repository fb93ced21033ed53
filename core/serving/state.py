"""What all workers of all replicas agree on, and the changes that an operator can ask for."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from core.experiments.experiment import Experiment

Kind: TypeAlias = Literal["load", "unload", "switch", "activate", "stop"]


class Action(msgspec.Struct, frozen=True):
    """What is asked: of a version (load, unload, switch) or of an experiment (activate, stop)."""

    kind: Kind
    name: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One value, replaced as a whole; every change raises `revision` by one.

    active: the version that was switched to; null while nobody has, and the models folder's order decides.
    unloaded: versions that somebody took out; all others of the models folder are loaded.
    loads: how often somebody asked to load a version; a worker reads the bundle again when this has grown.
    experiment: the active one. user_key: hexadecimal, under which users are written down.
    """

    revision: int = 0
    active: str | None = None
    unloaded: tuple[str, ...] = ()
    loads: dict[str, int] = {}
    experiment: Experiment | None = None
    user_key: str = ""

    def loading(self, version: str) -> State:
        """The state in which this version is loaded, from its bundle as it now is."""
        return msgspec.structs.replace(
            self,
            unloaded=tuple(v for v in self.unloaded if v != version),
            loads={**self.loads, version: self.loads.get(version, 0) + 1},
        )

    def unloading(self, version: str) -> State:
        """The state in which this version is not loaded."""
        return msgspec.structs.replace(self, unloaded=(*(v for v in self.unloaded if v != version), version))

    def switching(self, version: str) -> State:
        """The state in which this version is active."""
        unloaded = tuple(v for v in self.unloaded if v != version)
        return msgspec.structs.replace(self, active=version, unloaded=unloaded)

    def running(self, experiment: Experiment | None) -> State:
        """The state in which this experiment is the active one, its versions loaded; or none is."""
        versions = () if experiment is None else experiment.versions
        unloaded = tuple(v for v in self.unloaded if v not in versions)
        return msgspec.structs.replace(self, experiment=experiment, unloaded=unloaded)
