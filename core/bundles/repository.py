"""What is on disk: the bundles of the models folder and the order in which they are tried."""

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
    """`index.json`: the first version that loads becomes active, the rest is the fallback order."""

    order: tuple[manifest.VersionName, ...]


class Listing(NamedTuple):
    """The versions there are: those that the index names, in its order, then the others by name.

    `problems` are sentences for the operator.
    """

    versions: tuple[str, ...]
    problems: tuple[str, ...]


class Repository:
    """A folder with one bundle a version. Reads the disk at every call; holds nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def listing(self) -> Listing:
        """Look what there is; raises nothing."""
        problems: list[str] = []
        try:
            found = {folder.name for folder in self._root.iterdir() if self._is_bundle(folder)}
        except OSError as error:
            return Listing((), (f"models folder {self._root} cannot be read: {error.strerror or error}",))
        order = self._order(problems)
        problems += [f"{INDEX_NAME} names {v}, of which there is no bundle" for v in order if v not in found]
        first = [version for version in order if version in found]
        return Listing((*first, *sorted(found.difference(first))), tuple(problems))

    def read(self, version: str) -> Bundle:
        """Read one bundle, checked; raises BundleRefused, or UnknownVersion where there is none."""
        return bundle.read(self._folder(version))

    def read_manifest(self, version: str) -> Manifest:
        """Read a bundle's manifest without its graphs; raises likewise."""
        return bundle.read_manifest(self._folder(version))

    def _folder(self, version: str) -> Path:
        folder = self._root / version
        # The name is checked first: it comes from a URL, and must not lead to another place.
        if not _VERSION.fullmatch(version) or not self._is_bundle(folder):
            raise UnknownVersion(version, self.listing().versions)
        return folder

    @staticmethod
    def _is_bundle(folder: Path) -> bool:
        try:
            return bool(_VERSION.fullmatch(folder.name)) and (folder / manifest.FILE_NAME).exists()
        except OSError:  # a folder that we may not enter: whoever asks for it by name learns why
            return folder.is_dir()

    def _order(self, problems: list[str]) -> tuple[str, ...]:
        path = self._root / INDEX_NAME
        try:
            return tuple(dict.fromkeys(msgspec.json.decode(regular_file.read(path, _INDEX_BYTES), type=Index).order))
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            problems.append(f"{INDEX_NAME} cannot be used, versions are taken by name: {reason}")
            return ()
