"""A bundle read from disk: its manifest and the bytes of its graphs, each checked by its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from core import yielding
from core.bundles import manifest, onnx_file
from core.bundles.manifest import File, Manifest, Stage
from core.errors import BundleRefused
from core.files import regular_file

# A converter that publishes while we read deletes the graphs of the manifest that we have just read. Reading anew then
# finds the new one; more than a few such accidents in a row are none.
_ATTEMPTS = 5
# A hundred times what detectors of these kinds have; what is larger is none, and would fill the memory.
_MANIFEST_BYTES = 1 << 20
_GRAPH_BYTES = 64 << 20


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
    for _ in range(_ATTEMPTS):
        found = _decoded(folder, data)
        try:
            return Bundle(found, _graphs(folder, found), hashlib.sha256(data).hexdigest())
        except BundleRefused as error:
            refused = error
            before, data = data, _bytes(folder, manifest.FILE_NAME)
            if data == before:
                break
    raise refused


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest alone; raises BundleRefused."""
    return _decoded(folder, _bytes(folder, manifest.FILE_NAME))


def _decoded(folder: Path, data: bytes) -> Manifest:
    try:
        found = manifest.decode(data)
    except manifest.ManifestError as error:
        raise _refused(folder, manifest.FILE_NAME, str(error)) from None
    if found.version != folder.name:
        raise _refused(folder, manifest.FILE_NAME, f"version: {found.version!r} is not the folder's name")
    return found


def _graphs(folder: Path, found: Manifest) -> dict[str, bytes]:
    graphs = {}
    for stage in found.stages.values():
        for file in (stage.network, stage.scaler):
            if file is not None:
                graphs[file.sha256] = _checked_bytes(folder, stage, file)
    return graphs


def _checked_bytes(folder: Path, stage: Stage, file: File) -> bytes:
    yielding.give_way()
    data = _bytes(folder, file.file)
    digest = hashlib.sha256(data).hexdigest()
    if digest != file.sha256:
        raise _refused(folder, file.file, f"SHA-256 is {digest}, the manifest says {file.sha256}")
    yielding.give_way()
    try:
        opsets, external = onnx_file.opsets(data), onnx_file.has_external_data(data)
    except ValueError as error:
        raise _refused(folder, file.file, f"not an ONNX file: {error}") from None
    if external:
        raise _refused(folder, file.file, "it keeps numbers in other files")
    if opsets != {"": stage.opset}:
        raise _refused(folder, file.file, f"it asks for operator sets {opsets}, the manifest says {stage.opset}")
    return data


def _bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        # Links within the models folder are how Kubernetes mounts it.
        if not path.resolve().is_relative_to(folder.parent.resolve()):
            raise _refused(folder, name, "it leads outside the models folder")
        return regular_file.read(path, _MANIFEST_BYTES if name == manifest.FILE_NAME else _GRAPH_BYTES)
    except OSError as error:
        raise _refused(folder, name, error.strerror or str(error)) from None


def _refused(folder: Path, name: str, reason: str) -> BundleRefused:
    return BundleRefused(f"bundle {folder.name}: {name}: {reason}")
