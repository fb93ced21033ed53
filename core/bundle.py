"""A bundle read from disk: its manifest and the bytes of its graphs, each checked by its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from core import manifest
from core.errors import BundleRefused
from core.manifest import File, Manifest


class Bundle(NamedTuple):
    """`graphs` holds each file's bytes by its SHA-256: what was checked is what gets loaded.

    `digest` is the SHA-256 of the manifest's bytes. As the manifest holds all other hashes, it stands for the whole.
    """

    manifest: Manifest
    graphs: dict[str, bytes]
    digest: str


def read(folder: Path) -> Bundle:
    """Read and check the bundle in `folder`; raises BundleRefused, which names the file and the reason."""
    data = _bytes(folder, manifest.FILE_NAME)
    try:
        found = manifest.decode(data)
    except manifest.ManifestError as error:
        raise BundleRefused(f"bundle {folder.name}: {manifest.FILE_NAME}: {error}") from None
    if found.version != folder.name:
        raise BundleRefused(
            f"bundle {folder.name}: {manifest.FILE_NAME}: version: {found.version!r} is not the folder's name"
        )
    graphs = {}
    for stage in found.stages.values():
        for file in (stage.network, stage.scaler):
            if file is not None:
                graphs[file.sha256] = _checked_bytes(folder, file)
    return Bundle(found, graphs, hashlib.sha256(data).hexdigest())


def _bytes(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BundleRefused(f"bundle {folder.name}: {name}: {error.strerror or error}") from None


def _checked_bytes(folder: Path, file: File) -> bytes:
    data = _bytes(folder, file.file)
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        raise BundleRefused(f"bundle {folder.name}: {file.file}: SHA-256 is {found}, the manifest says {file.sha256}")
    return data
