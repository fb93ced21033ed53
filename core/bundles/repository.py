"""The models folder: its bundles, and the order in which they are tried."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import msgspec

from core.bundles import bundle, manifest
from core.bundles.bundle import Bundle
from core.bundles.manifest import Manifest
from core.errors import UnknownVersion
from core.files import regular_file

INDEX_NAME = "index.json"
_INDEX_BYTES = 1 << 20
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


class Index(msgspec.Struct, frozen=True):
    """`index.json`: the order of versions. The first one that loads becomes active; the others are its fallbacks."""

    order: tuple[manifest.VersionName, ...]


class Listing(NamedTuple):
    """The versions in the models folder: first those in the index, in its order, then the others, sorted by name.

    `problems` are messages for the operator.
    """

    versions: tuple[str, ...]
    problems: tuple[str, ...]


class Repository:
    """A folder with one bundle for each version. Every call reads the disk; nothing is cached."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def listing(self) -> Listing:
        """List the versions. A problem of the disk or the index is returned, not raised."""
        problems: list[str] = []
        try:
            found = {folder.name for folder in self._root.iterdir() if self._is_bundle(folder)}
        except OSError as error:
            return Listing((), (f"models folder {self._root}: cannot be read: {error.strerror or error}",))
        order = self._order(problems)
        problems += [f"{INDEX_NAME}: names {v}, but there is no such bundle" for v in order if v not in found]
        first = [version for version in order if version in found]
        return Listing((*first, *sorted(found.difference(first))), tuple(problems))

    def read(self, version: str) -> Bundle:
        """Read and check one bundle. Raises BundleRefused, or UnknownVersion if there is no such bundle."""
        return bundle.read(self._folder(version))

    def read_manifest(self, version: str) -> Manifest:
        """Read and check a bundle's manifest only. Raises BundleRefused or UnknownVersion."""
        return self.described(version)[0]

    def described(self, version: str) -> tuple[Manifest, str]:
        """A bundle's checked manifest and its digest. Raises BundleRefused or UnknownVersion."""
        return bundle.read_manifest(self._folder(version))

    def digest(self, version: str) -> str:
        """The digest of a bundle, unchecked. Raises BundleRefused or UnknownVersion."""
        return bundle.digest(self._folder(version))

    def _folder(self, version: str) -> Path:
        folder = self._root / version
        # The name is checked first, because it comes from a URL and must not lead to a different folder.
        if not _VERSION.fullmatch(version) or not self._is_bundle(folder):
            raise UnknownVersion(version, self.listing().versions)
        return folder

    @staticmethod
    def _is_bundle(folder: Path) -> bool:
        try:
            return bool(_VERSION.fullmatch(folder.name)) and (folder / manifest.FILE_NAME).exists()
        except OSError:  # access to the folder is denied; reading the version then reports the cause
            return folder.is_dir()

    def _order(self, problems: list[str]) -> tuple[str, ...]:
        path = self._root / INDEX_NAME
        try:
            return tuple(dict.fromkeys(msgspec.json.decode(regular_file.read(path, _INDEX_BYTES), type=Index).order))
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            problems.append(f"{INDEX_NAME}: cannot be used, versions are tried in the order of their names: {reason}")
            return ()
