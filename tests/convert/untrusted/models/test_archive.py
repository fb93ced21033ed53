"""Zip archives that are refused before a member is unpacked."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.models import archive

METADATA = json.dumps({"keras_version": "3.5.0"})


def packed(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in ({"metadata.json": METADATA.encode(), "config.json": b"{}"} | members).items():
            made.writestr(name, data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_a_model_are_read(method: int, tmp_path: Path) -> None:
    path = packed(tmp_path / "m.keras", {"model.weights.h5": b"weights", "assets/notes.txt": b"x"}, method)
    with path.open("ab") as file:
        file.truncate()
    assert archive.read(path) == archive.ModelMembers(METADATA.encode(), b"{}", b"weights")


def test_archive_with_a_comment_is_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "m.keras", {"model.weights.h5": b"weights"})
    with zipfile.ZipFile(path, "a") as made:
        made.comment = b"saved on Monday"
    assert archive.read(path).weights == b"weights"


def test_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "m.keras", {"model.weights.h5": b"weights"})
    with zipfile.ZipFile(path, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr("config.json", b"[]")
    with pytest.raises(Refused, match=r"^config\.json is in it 2 times"):
        archive.read(path)


def test_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "m.keras", {"model.weights.h5": b"weights"})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    with pytest.raises(Refused, match=r"^metadata\.json is encrypted"):
        archive.read(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(method: int, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"compressed by method"):
        archive.read(packed(tmp_path / "m.keras", {"model.weights.h5": b"w"}, method))


def test_weights_may_unpack_to_four_times_their_size_and_a_little(tmp_path: Path) -> None:
    fits = bytes(limits.UNPACKED_AT_LEAST)
    assert archive.read(packed(tmp_path / "a.keras", {"model.weights.h5": fits}, zipfile.ZIP_DEFLATED)).weights == fits
    too_large = bytes(limits.UNPACKED_AT_LEAST + limits.MIB)
    with pytest.raises(Refused, match=r"^model\.weights\.h5 would unpack"):
        archive.read(packed(tmp_path / "b.keras", {"model.weights.h5": too_large}, zipfile.ZIP_DEFLATED))


def test_directory_of_many_members_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "m.keras", {f"{i}": b"" for i in range(limits.ZIP_MEMBERS)})
    with pytest.raises(Refused, match="102 members"):
        archive.read(path)
