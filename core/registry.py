"""What is loaded and which version is active."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from core.detector import Detector
from core.errors import BundleRefused, Conflict, ModelUnavailable, UnknownVersion
from core.manifest import Manifest
from core.repository import Repository

log = logging.getLogger(__name__)


class Serving(NamedTuple):
    """What requests see: never changed, only replaced as a whole. A request takes it once and keeps it."""

    active: str | None
    detectors: Mapping[str, Detector]
    known: tuple[str, ...]  # loaded, or refused or unloaded since the start

    def choose(self, version: str | None, path: str = "version") -> Detector:
        """The detector that a request's body names (at `path`), else the active one.

        Raises UnknownVersion, or ModelUnavailable where the version is known but not loaded.
        """
        wanted = self.active if version is None else version
        if wanted is None:
            raise ModelUnavailable("no version is active: none could be loaded")
        detector = self.detectors.get(wanted)
        if detector is not None:
            return detector
        if wanted not in self.known:
            raise UnknownVersion(wanted, self.known, path)
        raise ModelUnavailable(f"version {wanted} is not loaded")


class Entry(NamedTuple):
    """A version as the operator sees it. `error` tells why it is not loaded, if loading it was tried."""

    version: str
    manifest: Manifest | None
    loaded: bool
    error: str | None


class Registry:
    """Loads, unloads and switches. These calls read files and make sessions, so they belong in a thread.

    `serving` may be read from anywhere at any time.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._changing = threading.Lock()
        self._errors: dict[str, str] = {}
        self.serving = Serving(None, MappingProxyType({}), ())

    def load_all(self) -> None:
        """Load every bundle; the first of the repository's order that loads becomes active. Raises nothing."""
        with self._changing:
            versions, problems = self._repository.listing()
            for problem in problems:
                log.error("%s", problem)
            for version in versions:
                try:
                    self._load(version)
                except (BundleRefused, UnknownVersion) as error:
                    log.error("version %s is skipped: %s", version, error)
                    continue
                if self.serving.active is None:
                    self._replace(active=version)

    def load(self, version: str) -> None:
        """Load a version, or read a loaded one again and swap it if its bundle has changed.

        Raises UnknownVersion or BundleRefused, and then leaves everything as it was.
        """
        with self._changing:
            self._load(version)

    def unload(self, version: str) -> None:
        """Drop a version; one that is not loaded stays so. Raises UnknownVersion, or Conflict for the active one."""
        with self._changing:
            known = self._names()
            if version not in known:
                raise UnknownVersion(version, known)
            if version == self.serving.active:
                raise Conflict(f"version {version} is active: switch to another one first")
            if version in self.serving.detectors:
                self._replace(detectors={v: d for v, d in self.serving.detectors.items() if v != version})
                log.info("version %s is unloaded", version)
            self._errors.pop(version, None)

    def switch(self, version: str) -> str | None:
        """Make a version active, loading it if needed, and return the one before.

        Until the new one is warm the old one answers. Raises UnknownVersion or BundleRefused.
        """
        with self._changing:
            previous = self.serving.active
            if version not in self.serving.detectors:
                self._load(version)
            self._replace(active=version)
            log.info("version %s is active, before: %s", version, previous)
            return previous

    def entries(self) -> list[Entry]:
        """Every version, loaded or on disk, in the repository's order. Reads the manifests of those not loaded."""
        return [self._entry(version) for version in self._names()]

    def entry(self, version: str) -> Entry:
        """One of them; raises UnknownVersion."""
        known = self._names()
        if version not in known:
            raise UnknownVersion(version, known)
        return self._entry(version)

    def _names(self) -> tuple[str, ...]:
        """What is on disk now, and what is loaded though its folder is gone."""
        return tuple(dict.fromkeys((*self._repository.listing().versions, *self.serving.detectors)))

    def _entry(self, version: str) -> Entry:
        detector = self.serving.detectors.get(version)
        if detector is not None:
            return Entry(version, detector.manifest, loaded=True, error=None)
        error = self._errors.get(version)
        try:
            manifest = self._repository.read_manifest(version)
        except (BundleRefused, UnknownVersion) as refused:
            return Entry(version, None, loaded=False, error=error or str(refused))
        return Entry(version, manifest, loaded=False, error=error)

    def _load(self, version: str) -> None:
        loaded = self.serving.detectors.get(version)
        try:
            bundle = self._repository.read(version)
            if loaded is not None and loaded.digest == bundle.digest:
                return
            detector = Detector(bundle)
        except UnknownVersion:
            if loaded is None:
                raise
            raise BundleRefused(f"bundle {version} is gone from the models folder") from None
        except Exception as error:
            refused = self._refused(version, error)
            if loaded is None:
                self._errors[version] = str(refused)
                self._replace(known=(*self.serving.known, version))
            raise refused from error
        self._errors.pop(version, None)
        self._replace(detectors={**self.serving.detectors, version: detector}, known=(*self.serving.known, version))
        log.info("version %s is loaded", version)

    @staticmethod
    def _refused(version: str, error: Exception) -> BundleRefused:
        """A bundle is somebody else's work: whatever goes wrong in loading it is its fault, and no reason to stop."""
        if isinstance(error, BundleRefused):
            return error
        log.error("version %s cannot be loaded", version, exc_info=error)
        return BundleRefused(f"bundle {version}: {type(error).__name__}: {error}")

    def _replace(
        self,
        *,
        active: str | None = None,
        detectors: dict[str, Detector] | None = None,
        known: tuple[str, ...] | None = None,
    ) -> None:
        old = self.serving
        self.serving = Serving(
            old.active if active is None else active,
            old.detectors if detectors is None else MappingProxyType(detectors),
            old.known if known is None else tuple(dict.fromkeys(known)),
        )
