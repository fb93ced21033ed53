"""Loading of versions: this process serves what the state, which all processes share, asks for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from core import yielding
from core.bundles.manifest import Manifest
from core.bundles.repository import Repository
from core.errors import BundleRefused, Conflict, UnknownVersion
from core.experiments.experiment import Experiment
from core.inference.detector import Detector
from core.log_event import LogEvent
from core.serving.loading import Loader
from core.serving.snapshot import Snapshot
from core.serving.state import Action, Replaced, Served, State

log = logging.getLogger(__name__)


class ListedVersion(NamedTuple):
    """A version as the operator sees it. `error`: why it is not loaded; None if loading was never tried.

    digest: of the loaded bundle, else of the one in the models folder; None if that cannot be read.
    """

    version: str
    manifest: Manifest | None
    loaded: bool
    error: str | None
    digest: str | None


class Prepared(NamedTuple):
    """A snapshot that is ready for `apply`: its versions are loaded and warmed up, but do not serve yet."""

    snapshot: Snapshot
    errors: dict[str, str]
    generations: dict[str, int]

    @property
    def served(self) -> Served:
        """What the other workers must load to serve the same."""
        digests = {version: detector.digest for version, detector in self.snapshot.detectors.items()}
        return Served(digests, self.errors, self.generations)


class Registry:
    """Follows the state in two steps, `prepare` and `apply`, so that several processes can take each step together.

    `prepare` reads files and creates ONNX sessions, so it belongs in a thread. `snapshot` can be read from any thread.
    """

    def __init__(self, repository: Repository, loader: Loader | None = None) -> None:
        """`loader`: None loads every bundle at once and keeps no copy, as a process alone may."""
        self._repository = repository
        self.loader = loader or Loader(repository)
        self._serves = False
        self._changing = threading.Lock()
        self._errors: dict[str, str] = {}
        # See Served.
        self._generations: dict[str, int] = {}
        self.snapshot = Snapshot(None, MappingProxyType({}), ())

    def prepare(
        self, state: State, order: Sequence[str], action: Action | None = None, served: Served | None = None
    ) -> Prepared:
        """Load the versions that the state asks for and that are not loaded yet. What is served does not change.

        `order` is the order of the models folder. If the state names no active version, or one that cannot be loaded,
        the first loaded version of `order` becomes active.
        A version of the experiment is read again if it is not the one of the activation. If the folder does not have
        that one either, the snapshot is without the experiment.
        served: what the other workers serve; this one becomes like them first, and then loads what the state adds.
        Raises UnknownVersion, BundleRefused, or Conflict (for unloading a version in use, or loading a changed one of
        the experiment) if the `action` fails. Any other version that cannot be loaded is logged and skipped.
        """
        with self._changing:
            required = self._required(state, action)
            old = self.snapshot
            detectors = {v: d for v, d in old.detectors.items() if v not in state.unloaded}
            errors, generations = dict(self._errors), dict(self._generations)
            if served is not None:
                errors, generations = dict(served.errors), dict(served.generations)
                detectors = self._like(served, state, errors)
            attempted = dict(generations)
            for version in self._wanted(state, required, attempted):
                generation, present = state.loads.get(version, 0), detectors.get(version)
                agreed = _agreed(state, action, version, present)
                if attempted.get(version) == generation and (
                    version not in required if present is None else agreed in {None, present.digest}
                ):
                    continue
                try:
                    with yielding.enabled(wanted=bool(old.detectors)):  # at startup there is no traffic to yield to
                        loaded = self._load(version, detectors.get(version) or old.detectors.get(version))
                    errors.pop(version, None)
                    if agreed in {None, loaded.digest} or present is None:
                        detectors[version] = loaded
                    if agreed not in {None, loaded.digest} and version in required:
                        raise _changed(state, action, version)
                except (BundleRefused, UnknownVersion) as error:
                    if version in required:
                        if action is not None and action.kind == "activate":
                            # Not UnknownVersion: the experiment names the version, not the request.
                            raise BundleRefused(str(error)) from None
                        raise
                    log.error(LogEvent("version_skipped", version=version, error=error))
                    errors[version] = str(error)
                generations[version] = generation
            for version in state.unloaded:
                errors.pop(version, None)
                generations.pop(version, None)
            known = dict.fromkeys((*old.known, *detectors, *errors, *state.unloaded))
            return Prepared(self._snapshot(state, order, detectors, tuple(known)), errors, generations)

    def apply(self, prepared: Prepared) -> None:
        """Serve the prepared snapshot from now on; the old one is replaced as a whole."""
        with self._changing:
            old, new = self.snapshot, prepared.snapshot
            self.snapshot, self._errors, self._generations = new, prepared.errors, prepared.generations
            self._serves = True
        before = {version: detector.digest for version, detector in old.detectors.items()}
        for version, detector in new.detectors.items():
            if before.get(version) != detector.digest:
                log.info(LogEvent("version_loaded", version=version, digest=detector.digest))
        for version in old.detectors.keys() - new.detectors.keys():
            log.info(LogEvent("version_unloaded", version=version))
        if new.active != old.active:
            log.info(LogEvent("active_version_changed", version=new.active, previous=old.active))

    def entries(self) -> list[ListedVersion]:
        """Every version, loaded or on disk, in the repository's order. Reads the manifests of unloaded versions."""
        return [self._entry(version) for version in self._names()]

    def entry(self, version: str) -> ListedVersion:
        """One version, loaded or on disk. Raises UnknownVersion."""
        known = self._names()
        if version not in known:
            raise UnknownVersion(version, known)
        return self._entry(version)

    @property
    def failed(self) -> Collection[str]:
        """The versions that could not be loaded, until they are loaded or unloaded."""
        return self._errors.keys()

    def _names(self) -> tuple[str, ...]:
        """The versions on disk, and the loaded versions that are no longer on disk."""
        return tuple(dict.fromkeys((*self._repository.listing().versions, *self.snapshot.detectors)))

    def _entry(self, version: str) -> ListedVersion:
        detector = self.snapshot.detectors.get(version)
        if detector is not None:
            return ListedVersion(version, detector.manifest, loaded=True, error=None, digest=detector.digest)
        error = self._errors.get(version)
        try:
            manifest, digest = self._repository.described(version)
        except (BundleRefused, UnknownVersion) as refused:
            return ListedVersion(version, None, loaded=False, error=error or str(refused), digest=None)
        return ListedVersion(version, manifest, loaded=False, error=error, digest=digest)

    def _required(self, state: State, action: Action | None) -> tuple[str, ...]:
        """The versions that must be loaded for the action to succeed."""
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
            raise Conflict(f"version {action.name} is used by the active experiment {running}: stop it first")
        return ()

    def _like(self, served: Served, state: State, errors: dict[str, str]) -> dict[str, Detector]:
        """Load the bundles that the other workers serve. One that cannot be loaded is logged and added to `errors`."""
        detectors = {}
        for version, digest in served.digests.items():
            present = self.snapshot.detectors.get(version)
            if version in state.unloaded:
                continue
            if present is not None and present.digest == digest:
                detectors[version] = present
                continue
            try:
                with yielding.enabled(wanted=self._serves):
                    detectors[version] = self.loader.load(version, present, starting=not self._serves, digest=digest)
            except (BundleRefused, UnknownVersion) as error:
                log.error(LogEvent("version_skipped", version=version, error=error))
                errors[version] = str(error)
                if present is not None:
                    detectors[version] = present
        return detectors

    def _wanted(self, state: State, required: Sequence[str], attempted: Mapping[str, int]) -> list[str]:
        """The versions that should be loaded. A bundle that appears after startup is loaded only on request."""
        names = list(attempted or self._listing())
        names += [version for version in (*state.loads, state.active, *required) if version is not None]
        if state.experiment:
            names += state.experiment.versions
        return [version for version in dict.fromkeys(names) if version not in state.unloaded]

    def _listing(self) -> tuple[str, ...]:
        versions, problems = self._repository.listing()
        for problem in problems:
            log.error(LogEvent("models_folder_invalid", error=problem))
        return versions

    def _load(self, version: str, loaded: Detector | None) -> Detector:
        try:
            return self.loader.load(version, loaded, starting=not self._serves)
        except BundleRefused as refused:
            if loaded is None:
                self._errors[version] = str(refused)
                self.snapshot = self.snapshot._replace(known=tuple(dict.fromkeys((*self.snapshot.known, version))))
            raise

    @staticmethod
    def _snapshot(
        state: State, order: Sequence[str], detectors: dict[str, Detector], known: tuple[str, ...]
    ) -> Snapshot:
        fallbacks = tuple(v for v in dict.fromkeys((*order, *sorted(detectors))) if v in detectors)
        replaced = _replaced(state.experiment, detectors)
        active = state.active
        if active not in detectors:
            active = fallbacks[0] if fallbacks else None
            if state.active is not None:
                log.error(LogEvent("active_version_unavailable", version=state.active, replacement=active))
        return Snapshot(
            active=active,
            detectors=MappingProxyType({version: detectors[version] for version in fallbacks}),
            known=known,
            order=fallbacks,
            experiment=None if replaced else state.experiment,
            user_key=bytes.fromhex(state.user_key),
            revision=state.revision,
            replaced=replaced,
            switched_to=state.active,
        )


def _agreed(state: State, action: Action | None, version: str, present: Detector | None) -> str | None:
    """The digest that a version must have because the experiment compares it; None if any will do.

    An experiment without digests at least keeps what is loaded.
    """
    if state.experiment is None or version not in state.experiment.versions:
        return None
    recorded = state.experiment.digest_of(version)
    if recorded is None and present is not None and action is not None and action.kind == "load":
        return present.digest
    return recorded


def _changed(state: State, action: Action | None, version: str) -> Conflict:
    if action is not None and action.kind == "activate":
        return Conflict(f"bundle {version} was replaced during the activation: nothing is changed, try again")
    running = "" if state.experiment is None else state.experiment.experiment_id
    return Conflict(
        f"bundle {version} has changed, and the version is used by the active experiment {running}: stop it first"
    )


def _replaced(experiment: Experiment | None, detectors: Mapping[str, Detector]) -> tuple[Replaced, ...]:
    """The versions of the experiment that are loaded from another bundle than at activation."""
    if experiment is None:
        return ()
    loaded = {version: detectors[version].digest for version in experiment.versions if version in detectors}
    return tuple(
        Replaced(experiment.experiment_id, version, digest)
        for version, digest in loaded.items()
        if experiment.digest_of(version) not in {None, digest}
    )
