"""Write bundles so that whoever reads them, at any moment and after any crash, finds whole ones.

Graphs are named by their hash, so writing them disturbs nobody. Renaming the new manifest over the old one is the
commit. Only then do files go that it does not name, and index.json is replaced last. What is already there with the
right bytes is not written again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from convert.bundle import Bundle
from core import manifest

INDEX = "index.json"
_TEMPORARY = ".new"


def publish(bundles: Sequence[Bundle], output: Path, order: Sequence[str]) -> None:
    """Write each bundle into `output`/<version>/, then the index.

    The index holds `order`, the fallback order of versions.toml, as far as there are bundles: it never names what a
    server could not find. Raises OSError.
    """
    for bundle in bundles:
        _publish(bundle, output / bundle.manifest.version)
    there = [version for version in order if (output / version / manifest.FILE_NAME).is_file()]
    _replace(output / INDEX, json.dumps({"order": there}).encode() + b"\n")


def _publish(bundle: Bundle, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in bundle.graphs.items():
        _replace(folder / name, data)
    _replace(folder / manifest.FILE_NAME, manifest.encode(bundle.manifest))
    for path in sorted(folder.iterdir()):
        ours = path.suffix in {".onnx", _TEMPORARY}
        if ours and path.name not in bundle.graphs:
            path.unlink()


def _replace(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step, on disk before it shows."""
    if path.is_file() and path.read_bytes() == data:
        return
    temporary = path.with_name(path.name + _TEMPORARY)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A rename is on disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
