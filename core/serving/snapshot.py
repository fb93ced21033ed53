"""The immutable view that a request works on: loaded versions, the active version and the active experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from core.errors import ModelUnavailable, UnknownVersion
from core.experiments.experiment import Experiment
from core.inference.detector import Detector
from core.serving.state import Replaced


class Snapshot(NamedTuple):
    """The served state. It is never changed, only replaced as a whole; a request takes it once and keeps it.

    active: the version that answers by default. switched_to: the version of the last switch, which is `active` unless
    it is not loaded here; None before the first switch.
    detectors: the loaded versions. known: versions loaded, refused or unloaded since startup. order: the loaded
    versions, in the order in which they serve as fallbacks. experiment: the active experiment; None also if a bundle of
    its versions was `replaced` since its activation, because other versions would answer under its name. user_key: the
    key of the users' pseudonyms.
    """

    active: str | None
    detectors: Mapping[str, Detector]
    known: tuple[str, ...]
    order: tuple[str, ...] = ()
    experiment: Experiment | None = None
    user_key: bytes = b""
    revision: int = 0
    replaced: tuple[Replaced, ...] = ()
    switched_to: str | None = None

    @property
    def missing(self) -> str | None:
        """The version that should be active and is not loaded, so that another one answers; None if there is none."""
        return self.switched_to if self.switched_to not in self.detectors else None

    def choose(self, version: str | None, named_at: str | None = None) -> Detector:
        """The detector of `version`, or of the active version if it is None.

        `named_at`: the path in the request's body that names the version; None if the request does not name it.
        Raises ModelUnavailable if the version is not loaded, and UnknownVersion if the request names one that does not
        exist.
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
