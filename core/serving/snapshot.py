"""What requests see: which versions answer, which one is active, and which experiment runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from core.errors import ModelUnavailable, UnknownVersion
from core.experiments.experiment import Experiment
from core.inference.detector import Detector


class Snapshot(NamedTuple):
    """Never changed, only replaced as a whole. A request takes it once and keeps it.

    known: loaded, or refused or unloaded since the start. order: the loaded versions, in which they stand in for one
    that cannot answer. experiment: the active one. user_key: under which users are written down.
    """

    active: str | None
    detectors: Mapping[str, Detector]
    known: tuple[str, ...]
    order: tuple[str, ...] = ()
    experiment: Experiment | None = None
    user_key: bytes = b""
    revision: int = 0

    def choose(self, version: str | None, named_at: str | None = None) -> Detector:
        """The detector of a version, else of the active one. `named_at`: where a request names it, null if none does.

        Raises ModelUnavailable where it is not loaded, and UnknownVersion for a request's name that no version has.
        """
        wanted = self.active if version is None else version
        if wanted is None:
            raise ModelUnavailable("no version is active: none could be loaded")
        detector = self.detectors.get(wanted)
        if detector is not None:
            return detector
        if named_at is not None and wanted not in self.known:
            raise UnknownVersion(wanted, self.known, named_at)
        raise ModelUnavailable(f"version {wanted} is not loaded")
