"""Write bundles so that a reader finds complete ones, at any moment and after any crash.

Graphs are named by their hash, so new ones do not overwrite files in use. Renaming the new manifest over the old one is
the commit. After it, files that the manifest does not name are deleted, and index.json is replaced last. A file that
already has the right bytes is not written again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from convert.bundle import ConvertedBundle
from core.bundles import manifest
from core.bundles.repository import INDEX_NAME, Index
from core.files.folder import sync

_TEMPORARY = ".new"


def publish(bundles: Sequence[ConvertedBundle], output: Path, order: Sequence[str]) -> list[str]:
    """Write each bundle into `output`/<version>/, then the index.

    The index holds `order`, the order of versions.toml, and then its earlier entries, so that no version is forgotten
    when a user converts another detector. It names only versions that have a bundle. Returns that order. Waits while
    another process publishes into the same folder. Raises OSError, with the file's name.
    """
    output.mkdir(parents=True, exist_ok=True)
    with _alone(output):
        for bundle in bundles:
            _publish(bundle, output / bundle.manifest.version)
        wanted = dict.fromkeys((*order, *_order(output / INDEX_NAME)))
        there = [version for version in wanted if (output / version / manifest.FILE_NAME).is_file()]
        _replace(output / INDEX_NAME, json.dumps({"order": there}).encode() + b"\n")
    return there


def _order(path: Path) -> tuple[str, ...]:
    """The present order; empty if there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Index).order
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return ()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the folder: two processes that publish at once would delete each other's graphs.

    The kernel releases the lock when the process ends, also after a crash.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _publish(bundle: ConvertedBundle, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, data in bundle.graphs.items():
        _replace(folder / name, data)
    _replace(folder / manifest.FILE_NAME, manifest.encode(bundle.manifest))
    for path in sorted(folder.iterdir()):
        ours = path.suffix in {".onnx", ".npy", _TEMPORARY}
        if ours and path.name not in bundle.graphs:
            path.unlink()


def _replace(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data` in one step. The data are on the disk before the file appears."""
    if path.is_file() and path.read_bytes() == data:
        return
    temporary = path.with_name(path.name + _TEMPORARY)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # the error of a full disk does not name the file
        raise OSError(error.errno, error.strerror, str(temporary)) from None
    temporary.replace(path)
    sync(path.parent)
