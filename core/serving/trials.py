"""Which bundles may be loaded into a process that serves (docs/decisions/0023-trials.md).

The processes of one server share the verdicts, by the bundle's digest, in a folder that only the server writes:

- `loading-DIGEST-PID`: a starting worker loads the bundle; the worker holds the file's lock. If the lock is free, the
  worker ended before it had loaded the bundle.
- `loaded-DIGEST`: a load or a trial succeeded.
- `refused-DIGEST`: a trial failed; the file has the failure, when it was found, and whether later starts repeat it.
- `trial-DIGEST`: a lock, so that one worker tries a bundle and the others wait for the verdict.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from core.bundles.bundle import Bundle
from core.errors import BundleRefused
from core.files import lock_file
from core.inference import trial
from core.inference.trial import TrialFailure
from core.log_event import LogEvent

log = logging.getLogger(__name__)

# The CPU time that a load may take in a starting worker. A bundle that takes longer gets a trial, which decides.
START_CPU_SECONDS = 1.0
_CONVERT = "convert the version again, or remove its folder"
_LOAD = "load it again"


class _Refused(msgspec.Struct):
    """at: of time.monotonic(), which all processes of a machine share. binding: whether it holds for later starts."""

    failure: TrialFailure
    at: float
    binding: bool


_decode = msgspec.json.Decoder(_Refused).decode


class Trials:
    """The verdicts of one server. `folder`: shared by its processes; it must exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def loading(self, bundle: Bundle, *, starting: bool) -> Iterator[None]:
        """Load the bundle within this block. Raises BundleRefused if it must not be loaded into this process.

        starting: this process does not serve yet. It then loads the bundle without a trial, which would cost time at
        every start, but with limits: it can be lost, and the worker that replaces it finds the mark and makes a trial.
        """
        if (self._folder / f"loaded-{bundle.digest}").exists():
            yield
            return
        mark = self._mark(bundle) if starting and not self._was_interrupted(bundle) else None
        if mark is None:
            self._require_trial(bundle, starting=starting)
            yield
            return
        path, lock = mark
        try:
            with trial.limited(START_CPU_SECONDS):
                yield
        except BaseException:  # the load has ended, so the mark must not say that it was interrupted
            path.unlink(missing_ok=True)
            raise
        else:
            with suppress(OSError):
                path.rename(self._folder / f"loaded-{bundle.digest}")
        finally:
            os.close(lock)

    def _mark(self, bundle: Bundle) -> tuple[Path, int] | None:
        """Write the mark of a load that begins; None if it cannot be written."""
        path = self._folder / f"loading-{bundle.digest}-{os.getpid()}"
        new = self._folder / f"new-{os.getpid()}"
        try:
            lock = lock_file.take(new)
            new.rename(path)  # it never has this name without the lock
        except (OSError, lock_file.Held):
            return None
        return path, lock

    def _was_interrupted(self, bundle: Bundle) -> bool:
        """Whether another worker ended while it loaded this bundle."""
        for path in self._folder.glob(f"loading-{bundle.digest}-*"):
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    # A mark whose owner has just finished is free as well, but renamed or deleted by then.
                    if lock_file.lock(descriptor) and path.exists():
                        return True
                finally:
                    os.close(descriptor)
        return False

    def _require_trial(self, bundle: Bundle, *, starting: bool) -> None:
        try:
            lock = os.open(self._folder / f"trial-{bundle.digest}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:  # the folder is full or deleted; the trial does not depend on it
            failure = self._try(bundle, starting=starting)
        else:
            began = time.monotonic()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                failure = self._verdict(bundle, began, starting=starting)
            finally:
                os.close(lock)
        if failure is not None:
            where = f"{failure.stage}: " if failure.stage else ""
            raise BundleRefused(f"bundle {bundle.manifest.version}: {where}{failure.reason}; {_action(failure)}")

    def _verdict(self, bundle: Bundle, began: float, *, starting: bool) -> TrialFailure | None:
        """The verdict of another worker, or of a trial now. The caller holds the lock of the bundle.

        began: when the caller began to wait for the lock. Any failure holds for a worker that waited: it loads
        the version for the same call, which would be late after a second trial. A later `load` is always a new trial,
        because a failure can have been the machine's; starts repeat only what a start has found to be final.
        """
        passed, refused = self._folder / f"loaded-{bundle.digest}", self._folder / f"refused-{bundle.digest}"
        if passed.exists():
            return None
        with suppress(OSError, msgspec.MsgspecError):
            known = _decode(refused.read_bytes())
            if (starting and known.binding) or known.at > began:
                return known.failure
        failure = self._try(bundle, starting=starting)
        with suppress(OSError):
            if failure is None:
                passed.touch()
            else:
                found = _Refused(failure, time.monotonic(), binding=starting and failure.final)
                refused.write_bytes(msgspec.json.encode(found))
        return failure

    @staticmethod
    def _try(bundle: Bundle, *, starting: bool) -> TrialFailure | None:
        failure = trial.run(bundle, trial.STARTING if starting else trial.LOADING)
        if failure is not None:
            log.error(
                LogEvent(
                    "version_trial_failed",
                    version=bundle.manifest.version,
                    stage=failure.stage or None,
                    reason=failure.reason,
                    action=_action(failure),
                )
            )
        return failure


def _action(failure: TrialFailure) -> str:
    return _CONVERT if failure.final else _LOAD
