from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.bundles import bundle, kept
from core.bundles.bundle import Bundle
from core.bundles.kept import KeptBundles
from tests import bundles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "copies"


@pytest.fixture
def found(tmp_path: Path) -> Bundle:
    return bundle.read(bundles.write(tmp_path / "models", "v1", background=(0.1, 0.2)))


def test_a_copy_has_the_same_bytes_as_the_bundle(folder: Path, found: Bundle, tmp_path: Path) -> None:
    copies = KeptBundles(folder)
    copies.keep(found)
    copies.keep(found)
    assert [path.name for path in folder.iterdir()] == [found.digest]
    originals = {path.name: path.read_bytes() for path in (tmp_path / "models" / "v1").iterdir()}
    assert {path.name: path.read_bytes() for path in (folder / found.digest / "v1").iterdir()} == originals
    assert copies.read("v1", found.digest) == found


def test_a_bundle_that_was_not_kept_has_no_copy(folder: Path, found: Bundle) -> None:
    copies = KeptBundles(folder)
    assert copies.read("v1", found.digest) is None
    copies.remove_except(())
    copies.keep(found)
    assert copies.read("v2", found.digest) is None


@pytest.mark.parametrize("damage", ["graph", "manifest"])
def test_a_damaged_copy_is_not_used_and_logged(
    folder: Path, found: Bundle, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    copies = KeptBundles(folder)
    copies.keep(found)
    if damage == "graph":
        (file,) = (folder / found.digest / "v1").glob("stage1-network-*")
        bundles.flip_byte(file)
    else:  # by another bundle that is valid
        shutil.rmtree(folder / found.digest / "v1")
        shutil.copytree(bundles.write(tmp_path / "other", "v1", threshold=0.7), folder / found.digest / "v1")
    assert copies.read("v1", found.digest) is None
    (line,) = caplog.messages
    assert line.startswith(f"bundle_copy_damaged version=v1 digest={found.digest} error=")
    assert "SHA-256" in line


def test_without_space_there_is_no_copy_and_no_rest_of_one(
    folder: Path, found: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kept, "SPARE_BYTES", 1 << 62)
    copies = KeptBundles(folder)
    copies.keep(found)
    assert list(folder.iterdir()) == []
    assert copies.read("v1", found.digest) is None
    assert "bundle_copy_unwritable version=v1 error=" in caplog.text
    assert "would be left on the disk" in caplog.text


def test_a_copy_of_a_worker_that_ended_while_it_wrote_does_not_count(folder: Path, found: Bundle) -> None:
    (folder / "new-1" / "v1").mkdir(parents=True)
    copies = KeptBundles(folder)
    copies.keep(found)
    assert copies.read("v1", found.digest) == found
    copies.remove_except({found.digest})
    assert [path.name for path in folder.iterdir()] == [found.digest]


def test_two_workers_that_keep_the_same_bundle_at_once_leave_one_copy(
    folder: Path, found: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other, rename = KeptBundles(folder), Path.rename

    def late(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("os.getpid", lambda: 7)
            other.keep(found)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    KeptBundles(folder).keep(found)
    assert [path.name for path in folder.iterdir()] == [found.digest]
    assert not caplog.messages


def test_copies_that_are_not_served_are_removed(folder: Path, found: Bundle, tmp_path: Path) -> None:
    copies, other = KeptBundles(folder), bundle.read(bundles.write(tmp_path / "models", "v2"))
    copies.keep(found)
    copies.keep(other)
    copies.remove_except({other.digest})
    assert copies.read("v1", found.digest) is None
    assert copies.read("v2", other.digest) == other
