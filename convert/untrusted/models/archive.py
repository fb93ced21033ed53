"""Read the members of a .keras file, a zip archive, within limits that are checked before any is unpacked."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import NamedTuple

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.limits import in_mib
from convert.untrusted.models import formats

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_ENCRYPTED = 1  # bit of the flags
_UNPACKED_BY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"
_END_SIZE, _END_64_SIZE, _LONGEST_COMMENT = 22, 20, 0xFFFF
_LOCAL_HEADER = 30


class ModelMembers(NamedTuple):
    """The contents of the members that make up a model."""

    metadata: bytes
    config: bytes
    weights: bytes


def read(path: Path) -> ModelMembers:
    """Read the archive. Raises Refused for one beyond the limits, and zipfile's errors for a damaged one."""
    _check_directory(path)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        names = {info.filename for info in infos}
        if not {CONFIG, WEIGHTS} <= names and (other := formats.of_archive(path.name, sorted(names))):
            raise Refused(other)
        _check_places(infos, path.stat().st_size)
        return ModelMembers(*(_member(archive, infos, name) for name in (METADATA, CONFIG, WEIGHTS)))


def _check_directory(path: Path) -> None:
    """Check the size of the directory before zipfile makes an object for each entry."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_SIZE - _LONGEST_COMMENT - _END_64_SIZE))
        tail = file.read()
    # The same choice as zipfile's: a record without a comment at the end, else the last one.
    plain = tail[-_END_SIZE:].startswith(_END) and tail.endswith(b"\0\0")
    at = len(tail) - _END_SIZE if plain else tail.rfind(_END)
    if at < 0 or at + _END_SIZE > len(tail):
        raise zipfile.BadZipFile("File is not a zip file")
    if tail[max(0, at - _END_64_SIZE) : at].startswith(_END_64):
        raise Refused("its zip archive has the form for more than 4 GiB or 65,535 members; save the model again")
    _, entries, directory = struct.unpack_from("<HHL", tail, at + 8)
    if entries > limits.ZIP_MEMBERS or directory > limits.ZIP_DIRECTORY:
        raise Refused(
            f"its zip archive has {entries:,} members and a directory of {directory:,} bytes; a model has 3 members, "
            f"and at most {limits.ZIP_MEMBERS} and {limits.ZIP_DIRECTORY:,} bytes are read. Save the model again"
        )


def _check_places(infos: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse members that share bytes of the file: each of them can unpack to much more."""
    if len(infos) > limits.ZIP_MEMBERS:
        raise Refused(f"its zip archive has {len(infos):,} members; at most {limits.ZIP_MEMBERS} are read")
    end, before = 0, ""
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Refused(f"its members {before!r} and {info.filename!r} share bytes of the file; save the model again")
        end, before = info.header_offset + _LOCAL_HEADER + info.compress_size, info.filename
    if end > size:
        raise Refused(f"its member {before!r} is longer than the file")


def _member(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], name: str) -> bytes:
    found = [info for info in infos if info.filename == name]
    if not found:
        raise Refused(f"its zip archive has no {name}, so it is no .keras file; save the model again")
    if len(found) > 1:
        raise Refused(f"{name} is in it {len(found)} times; save the model again")
    (info,) = found
    if info.flag_bits & _ENCRYPTED:
        raise Refused(f"{name} is encrypted; save the model without a password")
    if info.compress_type not in _UNPACKED_BY:
        raise Refused(f"{name} is compressed by method {info.compress_type}; save the model again")
    most = min(limits.unpacked(info.compress_size), limits.MODEL_FILE) if name == WEIGHTS else limits.CONFIG
    if info.file_size > most:
        raise Refused(
            f"{name} would unpack from {in_mib(info.compress_size)} to {in_mib(info.file_size)}, "
            f"but at most {in_mib(most)} are read; save the model again"
        )
    with archive.open(info) as member:
        # With a length, zipfile unpacks no more than that, whatever the stream holds.
        data = member.read(info.file_size)
        more = member.read(1)
    if more or len(data) != info.file_size:
        raise Refused(f"{name} does not have the {info.file_size:,} bytes that the archive declares")
    return data
