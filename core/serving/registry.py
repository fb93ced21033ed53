"""What is loaded: from a state that all agree on to what this process serves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

from core import yielding
from core.bundles.manifest import Manifest
from core.bundles.repository import Repository
from core.errors import BundleRefused, Conflict, UnknownVersion
from core.inference.detector import Detector
from core.serving.snapshot import Snapshot
from core.serving.state import Action, State

log = logging.getLogger(__name__)


class ListedVersion(NamedTuple):
    """A version as the operator sees it. `error` tells why it is not loaded, if loading it was tried."""

    version: str
    manifest: Manifest | None
    loaded: bool
    error: str | None


class Prepared(NamedTuple):
    """What `apply` makes the present: everything is loaded and warm, and nobody sees it yet."""

    snapshot: Snapshot
    errors: dict[str, str]
    generations: dict[str, int]


class Registry:
    """Follows the state in two steps, so that several processes can take each step together.

    `prepare` reads files and makes sessions: it belongs in a thread. `serving` may be read from anywhere at any time.
    """

    def __init__(self, repository: Repository, *, refuse_out_of_range: bool = False) -> None:
        """refuse_out_of_range: as of Detector."""
        self._repository = repository
        self._refuse_out_of_range = refuse_out_of_range
        self._changing = threading.Lock()
        self._errors: dict[str, str] = {}
        self._generations: dict[str, int] = {}  # as of State.loads, of every version that was tried
        self.snapshot = Snapshot(None, MappingProxyType({}), ())

    def prepare(self, state: State, order: Sequence[str], action: Action | None = None) -> Prepared:
        """Load what the state asks for and is not loaded yet; nothing that is served changes.

        `order` is that of the models folder: the first of it that is loaded becomes active where the state names
        none, or one that cannot be loaded. What the `action` is about must succeed: raises UnknownVersion,
        BundleRefused, or Conflict for unloading a version in use. Everything else that fails is logged and skipped.
        """
        with self._changing:
            required = self._required(state, action)
            old = self.snapshot
            detectors = {v: d for v, d in old.detectors.items() if v not in state.unloaded}
            errors, generations = dict(self._errors), dict(self._generations)
            for version in self._wanted(state, required):
                generation = state.loads.get(version, 0)
                if self._generations.get(version) == generation and (version in detectors or version not in required):
                    continue
                try:
                    with yielding.enabled(wanted=bool(old.detectors)):  # at the start nobody is answered
                        detectors[version] = self._load(version, old.detectors.get(version))
                    errors.pop(version, None)
                except (BundleRefused, UnknownVersion) as error:
                    if version in required:
                        if action is not None and action.kind == "activate":  # nobody named it, the experiment did
                            raise BundleRefused(str(error)) from None
                        raise
                    log.error("version %s is skipped: %s", version, error)
                    errors[version] = str(error)
                generations[version] = generation
            for version in state.unloaded:
                errors.pop(version, None)
                generations.pop(version, None)
            known = dict.fromkeys((*old.known, *detectors, *errors, *state.unloaded))
            return Prepared(self._snapshot(state, order, detectors, tuple(known)), errors, generations)

    def apply(self, prepared: Prepared) -> None:
        """Serve what was prepared, from this moment and as a whole."""
        with self._changing:
            old, new = self.snapshot, prepared.snapshot
            self.snapshot, self._errors, self._generations = new, prepared.errors, prepared.generations
        for version in new.detectors.keys() - old.detectors.keys():
            log.info("version %s is loaded", version)
        for version in old.detectors.keys() - new.detectors.keys():
            log.info("version %s is unloaded", version)
        if new.active != old.active:
            log.info("version %s is active, before: %s", new.active, old.active)

    def entries(self) -> list[ListedVersion]:
        """Every version, loaded or on disk, in the repository's order. Reads the manifests of those not loaded."""
        return [self._entry(version) for version in self._names()]

    def entry(self, version: str) -> ListedVersion:
        """One of them; raises UnknownVersion."""
        known = self._names()
        if version not in known:
            raise UnknownVersion(version, known)
        return self._entry(version)

    def _names(self) -> tuple[str, ...]:
        """What is on disk now, and what is loaded though its folder is gone."""
        return tuple(dict.fromkeys((*self._repository.listing().versions, *self.snapshot.detectors)))

    def _entry(self, version: str) -> ListedVersion:
        detector = self.snapshot.detectors.get(version)
        if detector is not None:
            return ListedVersion(version, detector.manifest, loaded=True, error=None)
        error = self._errors.get(version)
        try:
            manifest = self._repository.read_manifest(version)
        except (BundleRefused, UnknownVersion) as refused:
            return ListedVersion(version, None, loaded=False, error=error or str(refused))
        return ListedVersion(version, manifest, loaded=False, error=error)

    def _required(self, state: State, action: Action | None) -> tuple[str, ...]:
        """The versions without which the action fails."""
        if action is None or action.kind == "stop":
            return ()
        if action.kind == "activate":
            return state.experiment.versions if state.experiment else ()
        if action.kind != "unload":
            return (action.name,)
        names = self._names()
        if action.name not in names:
            raise UnknownVersion(action.name, names)
        if action.name == self.snapshot.active:
            raise Conflict(f"version {action.name} is active: switch to another one first")
        if state.experiment and action.name in state.experiment.versions:
            running = state.experiment.experiment_id
            raise Conflict(f"version {action.name} is in the running experiment {running}: stop that first")
        return ()

    def _wanted(self, state: State, required: Sequence[str]) -> list[str]:
        """What should be loaded. A bundle that appears after the start waits until somebody asks for it."""
        names = list(self._generations or self._listing())
        names += [version for version in (*state.loads, state.active, *required) if version is not None]
        if state.experiment:
            names += state.experiment.versions
        return [version for version in dict.fromkeys(names) if version not in state.unloaded]

    def _listing(self) -> tuple[str, ...]:
        versions, problems = self._repository.listing()
        for problem in problems:
            log.error("%s", problem)
        return versions

    def _load(self, version: str, loaded: Detector | None) -> Detector:
        try:
            bundle = self._repository.read(version)
            if loaded is not None and loaded.digest == bundle.digest:
                return loaded
            return Detector(bundle, refuse_out_of_range=self._refuse_out_of_range)
        except UnknownVersion:
            if loaded is None:
                raise
            raise BundleRefused(f"bundle {version} is gone from the models folder") from None
        except Exception as error:
            refused = self._refused(version, error)
            if loaded is None:
                self._errors[version] = str(refused)
                self.snapshot = self.snapshot._replace(known=tuple(dict.fromkeys((*self.snapshot.known, version))))
            raise refused from error

    @staticmethod
    def _refused(version: str, error: Exception) -> BundleRefused:
        """A bundle is somebody else's work: whatever goes wrong in loading it is its fault, and no reason to stop."""
        if isinstance(error, BundleRefused):
            return error
        log.error("version %s cannot be loaded", version, exc_info=error)
        return BundleRefused(f"bundle {version}: {type(error).__name__}: {error}")

    @staticmethod
    def _snapshot(
        state: State, order: Sequence[str], detectors: dict[str, Detector], known: tuple[str, ...]
    ) -> Snapshot:
        fallbacks = tuple(v for v in dict.fromkeys((*order, *sorted(detectors))) if v in detectors)
        active = state.active
        if active not in detectors:
            if active is not None:
                log.error("version %s should be active and is not loaded", active)
            active = fallbacks[0] if fallbacks else None
        return Snapshot(
            active=active,
            detectors=MappingProxyType({version: detectors[version] for version in fallbacks}),
            known=known,
            order=fallbacks,
            experiment=state.experiment,
            user_key=bytes.fromhex(state.user_key),
            revision=state.revision,
        )
