"""Loading one version: its bundle is read, tried if need be, made into a detector, and kept for later workers."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext

from core.bundles.bundle import Bundle
from core.bundles.kept import KeptBundles
from core.bundles.repository import Repository
from core.errors import BundleRefused, UnknownVersion
from core.inference.detector import Detector
from core.log_event import LogEvent
from core.serving.trials import Trials

log = logging.getLogger(__name__)


class Loader:
    """Loads versions into this process."""

    def __init__(
        self,
        repository: Repository,
        *,
        refuse_out_of_range: bool = False,
        trials: Trials | None = None,
        kept: KeptBundles | None = None,
    ) -> None:
        """`refuse_out_of_range`: see Detector. `trials` and `kept`: None for a process alone, which needs neither."""
        self._repository = repository
        self._refuse_out_of_range = refuse_out_of_range
        self._trials = trials
        self._kept = kept
        # The seconds that the last load of each version took, with its trial. Replaced as a whole: others read it.
        self.seconds: dict[str, float] = {}

    def load(
        self, version: str, loaded: Detector | None, *, starting: bool = False, digest: str | None = None
    ) -> Detector:
        """Load a version, or return `loaded` if its bundle is the same.

        starting: this process does not serve yet. digest: of the bundle that the other workers serve; None reads the
        models folder. Raises BundleRefused, or UnknownVersion if there is no such bundle and none is `loaded`.
        """
        began = time.monotonic()
        try:
            bundle = self._read(version, digest)
            if loaded is not None and loaded.digest == bundle.digest:
                return loaded
            trial = nullcontext() if self._trials is None else self._trials.loading(bundle, starting=starting)
            with trial:
                made = Detector(bundle, refuse_out_of_range=self._refuse_out_of_range)
        except UnknownVersion:
            if loaded is None:
                raise
            raise BundleRefused(f"bundle {version} is no longer in the models folder") from None
        except BundleRefused:
            raise
        except Exception as error:
            # A bundle is untrusted input, so any error in loading it refuses the bundle and does not stop the server.
            log.error(LogEvent("version_load_failed", version=version), exc_info=error)
            raise BundleRefused(f"bundle {version}: {type(error).__name__}: {error}") from error
        if self._kept is not None:
            self._kept.keep(bundle)
        self.seconds = self.seconds | {version: time.monotonic() - began}
        return made

    def _read(self, version: str, digest: str | None) -> Bundle:
        if digest is None:
            return self._repository.read(version)
        # The copy first: it stays as it is, while the folder can be replaced at any moment.
        kept = None if self._kept is None else self._kept.read(version, digest)
        if kept is not None:
            return kept
        found = self._repository.read(version)
        if found.digest != digest:
            effect = "this worker loads the bundle in the models folder; load the version again, so that all do"
            log.error(
                LogEvent("bundle_copy_missing", version=version, served=digest, found=found.digest, effect=effect)
            )
        return found
