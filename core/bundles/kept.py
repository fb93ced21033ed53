"""Copies of the bundles that a server serves, so that its later workers can load the same bytes.

The folder is one that only the server's processes write. It has one folder for each digest, with the same files as in
the models folder: `DIGEST/VERSION/manifest.json` and the graphs. A copy is checked by its hashes like any bundle.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from core.bundles import manifest
from core.bundles.bundle import Bundle, files_of
from core.bundles.repository import Repository
from core.errors import BundleRefused, UnknownVersion
from core.log_event import LogEvent

log = logging.getLogger(__name__)

# Left free on the disk. It is usually memory that the metrics' files share, and a process that writes to such a file on
# a full disk is killed.
SPARE_BYTES = 32 << 20


class KeptBundles:
    """The copies of one server. `folder` is created with the first copy. All methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, found: Bundle) -> None:
        """Keep a copy, unless there is one. If that fails, the error is logged, and there is no copy."""
        kept, new = self._folder / found.digest, self._folder / f"new-{os.getpid()}"
        if kept.exists():
            return
        version = found.manifest.version
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._require_space(found)
            (new / version).mkdir(parents=True)
            for name, data in _files(found).items():
                (new / version / name).write_bytes(data)
            new.rename(kept)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            if kept.exists():  # another worker was faster
                return
            effect = "if a worker is replaced after the bundle has changed on disk, it loads the changed one"
            reason = error.strerror or error
            log.warning(LogEvent("bundle_copy_unwritable", version=version, error=reason, effect=effect))

    def read(self, version: str, digest: str) -> Bundle | None:
        """The copy of a version with this digest; None if there is none, or it is damaged, which is logged."""
        try:
            found = Repository(self._folder / digest).read(version)
        except UnknownVersion:
            return None
        except BundleRefused as error:
            reason = str(error)
        else:
            if found.digest == digest:
                return found
            reason = f"SHA-256 of {manifest.FILE_NAME} is {found.digest}"
        log.error(LogEvent("bundle_copy_damaged", version=version, digest=digest, error=reason))
        return None

    def remove_except(self, digests: Collection[str]) -> None:
        """Remove all other copies. No worker may be loading a version meanwhile."""
        try:
            folders = list(self._folder.iterdir())
        except OSError:  # no version was loaded yet, or the folder was deleted
            return
        for folder in folders:
            if folder.name not in digests:
                shutil.rmtree(folder, ignore_errors=True)

    def _require_space(self, found: Bundle) -> None:
        size = sum(map(len, _files(found).values()))
        if shutil.disk_usage(self._folder).free < size + SPARE_BYTES:
            raise OSError(errno.ENOSPC, f"less than {SPARE_BYTES >> 20} MiB would be left on the disk")


def _files(found: Bundle) -> dict[str, bytes]:
    """The bytes of each file, by its name."""
    files = {
        file.file: found.graphs[file.sha256] for stage in found.manifest.stages.values() for file in files_of(stage)
    }
    return {**files, manifest.FILE_NAME: found.source}
