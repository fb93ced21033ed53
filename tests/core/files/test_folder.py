from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from core.files.folder import sync


def test_the_folder_is_synced_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, os.stat_result]] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append((descriptor, os.fstat(descriptor))))
    sync(tmp_path)
    [(descriptor, found)] = synced
    assert stat.S_ISDIR(found.st_mode)
    assert os.path.samestat(found, tmp_path.stat())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync(tmp_path / "file")
