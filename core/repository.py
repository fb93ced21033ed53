"""What is on disk: the bundles of the models folder and the order in which they are tried."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import msgspec

from core import bundle, manifest
from core.bundle import Bundle
from core.errors import UnknownVersion

log = logging.getLogger(__name__)

INDEX_NAME = "index.json"
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


class Index(msgspec.Struct, frozen=True):
    """`index.json`: the first version that loads becomes active, the rest is the fallback order."""

    order: tuple[manifest.VersionName, ...]


class Repository:
    """A folder with one bundle a version. Reads the disk at every call; holds nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def versions(self) -> tuple[str, ...]:
        """All bundles: those that the index names, in its order, then the others by name."""
        try:
            found = {
                folder.name
                for folder in self._root.iterdir()
                if _VERSION.fullmatch(folder.name) and (folder / manifest.FILE_NAME).exists()
            }
        except OSError as error:
            log.error("models folder %s cannot be read: %s", self._root, error.strerror or error)
            return ()
        order = self._order()
        for missing in (version for version in order if version not in found):
            log.warning("%s names %s, of which there is no bundle", INDEX_NAME, missing)
        first = [version for version in order if version in found]
        return (*first, *sorted(found.difference(first)))

    def read(self, version: str) -> Bundle:
        """Read one bundle, checked; raises BundleRefused, or UnknownVersion where there is none."""
        known = self.versions()
        if version not in known:  # also keeps names such as `..` away from the disk
            raise UnknownVersion(version, known)
        return bundle.read(self._root / version)

    def _order(self) -> tuple[str, ...]:
        path = self._root / INDEX_NAME
        try:
            return tuple(dict.fromkeys(msgspec.json.decode(path.read_bytes(), type=Index).order))
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.error("%s cannot be used, versions are taken by name: %s", INDEX_NAME, error)
            return ()
