"""Read a bundle from disk: its manifest, and the bytes of its files, which are checked against their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from core import yielding
from core.bundles import manifest, onnx_file, windows
from core.bundles.manifest import File, Manifest, Stage, WindowsFile
from core.errors import BundleRefused
from core.files import regular_file

# A conversion that publishes during a read deletes the graphs that the old manifest names. Reading again then finds the
# new manifest. If that happens more often than this in a row, the cause is a different one.
_ATTEMPTS = 5
# A hundred times the size of real detectors. Larger files are refused, because they could fill the memory.
MANIFEST_BYTES = 1 << 20
_GRAPH_BYTES = 64 << 20

_CONVERT = "convert the version again"


class Bundle(NamedTuple):
    """A bundle that has been read and checked.

    graphs: the bytes of each graph and of each file of stored windows, by their SHA-256. Exactly these bytes are
    loaded; the file is not read again.
    digest: the SHA-256 of the manifest's bytes. It identifies the whole bundle, because the manifest holds the hashes
    of all files. source: the manifest's bytes.
    """

    manifest: Manifest
    graphs: dict[str, bytes]
    digest: str
    source: bytes


def read(folder: Path) -> Bundle:
    """Read and check the bundle in `folder`. Raises BundleRefused, which names the file and the reason."""
    data = _bytes(folder, manifest.FILE_NAME)
    for _ in range(_ATTEMPTS):
        found = _decoded(folder, data)
        try:
            return Bundle(found, _graphs(folder, found), hashlib.sha256(data).hexdigest(), data)
        except BundleRefused as error:
            refusal = error
            before, data = data, _bytes(folder, manifest.FILE_NAME)
            if data == before:
                break
    raise refusal


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """Read and check the manifest only; returns it with the bundle's digest. Raises BundleRefused."""
    data = _bytes(folder, manifest.FILE_NAME)
    return _decoded(folder, data), hashlib.sha256(data).hexdigest()


def digest(folder: Path) -> str:
    """The digest of the bundle as `read` returns it, from the manifest alone, unchecked. Raises BundleRefused."""
    return hashlib.sha256(_bytes(folder, manifest.FILE_NAME)).hexdigest()


def files_of(stage: Stage) -> list[File]:
    """All files of a stage."""
    return [file for file in (stage.network, stage.scaler, stage.background_windows) if file is not None]


def _decoded(folder: Path, data: bytes) -> Manifest:
    try:
        found = manifest.decode(data)
    except manifest.ManifestError as error:
        raise _refused(folder, manifest.FILE_NAME, str(error)) from None
    if found.version != folder.name:
        raise _refused(
            folder, manifest.FILE_NAME, f"version: {found.version!r} is not the folder's name; rename the folder"
        )
    return found


def _graphs(folder: Path, found: Manifest) -> dict[str, bytes]:
    graphs = {}
    for stage in found.stages.values():
        for file in files_of(stage):
            graphs[file.sha256] = _checked_bytes(folder, stage, file)
    return graphs


def _checked_bytes(folder: Path, stage: Stage, file: File) -> bytes:
    yielding.give_way()
    data = _bytes(folder, file.file)
    digest = hashlib.sha256(data).hexdigest()
    if digest != file.sha256:
        raise _refused(folder, file.file, f"SHA-256 is {digest}, but the manifest has {file.sha256}; {_CONVERT}")
    yielding.give_way()
    if isinstance(file, WindowsFile):
        try:
            windows.decode(data, file.count, stage.sequence_length, stage.num_features)
        except ValueError as error:
            raise _refused(folder, file.file, f"{error}; {_CONVERT}") from None
        return data
    try:
        opsets, forbidden = onnx_file.opsets(data), onnx_file.forbidden(data)
    except ValueError as error:
        raise _refused(folder, file.file, f"not an ONNX file: {error}; {_CONVERT}") from None
    if forbidden is not None:
        raise _refused(folder, file.file, f"{forbidden}; {_CONVERT}")
    plain = {"": stage.opset}
    if opsets not in (plain, plain | {onnx_file.TREES_DOMAIN: manifest.TREES_OPSET}):
        raise _refused(
            folder, file.file, f"uses the operator sets {opsets}, but the manifest has {stage.opset}; {_CONVERT}"
        )
    return data


def _bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        # Links within the models folder are allowed, because Kubernetes mounts volumes with them.
        if not path.resolve().is_relative_to(folder.parent.resolve()):
            raise _refused(folder, name, "a link that leads outside the models folder; copy the file into it")
        return regular_file.read(path, MANIFEST_BYTES if name == manifest.FILE_NAME else _GRAPH_BYTES)
    except OSError as error:
        raise _refused(folder, name, error.strerror or str(error)) from None


def _refused(folder: Path, name: str, reason: str) -> BundleRefused:
    return BundleRefused(f"bundle {folder.name}: {name}: {reason}")
