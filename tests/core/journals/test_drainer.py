from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.errors import StoreUnavailable
from core.experiments.records import Record
from core.files import lock_file
from core.journals import drainer, journal, journal_files
from core.journals.drainer import Drainer, DrainResult, FolderInUse
from core.journals.journal import Journal
from tests.core.journals.samples import Drains, Ledger, exposure, exposures, failure, is_written, line, score
from tests.market import ROOT

LINE = len(line(exposure(1)))

HOLDER = """
import signal, sys
from pathlib import Path
from tests.core.journals.samples import Drains, Ledger
held = Drains(Path(sys.argv[1]), Ledger(Path(sys.argv[2])))
print("held", flush=True)
signal.pause()
"""


def watched(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the store's methods that a drainer calls, in order."""
    calls: list[str] = []

    def watch(name: str) -> None:
        function = getattr(ledger, name)

        def call(*arguments: object, **options: object) -> object:
            calls.append(name)
            return function(*arguments, **options)

        monkeypatch.setattr(ledger, name, call)

    for name in ("drained", "drain", "forget"):
        watch(name)
    return calls


def writer(folder: Path) -> Journal:
    return Journal(folder, bound_bytes=1 << 30, memory_records=1000)


def names(first: int, end: int) -> list[str]:
    return sorted(each.prediction_id for each in exposures(first, end))


def dead(folder: Path, content: bytes, name: str = "1") -> Path:
    """A journal file without a writer."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}{journal_files.SUFFIX}"
    path.write_bytes(content)
    return path


def test_each_record_is_stored_once(folder: Path, ledger: Ledger) -> None:
    one, other = writer(folder), writer(folder)
    drains = Drains(folder, ledger)
    one.append([*exposures(0, 5), failure(), score(1)])
    other.append(exposures(5, 7))
    assert drains.drain() == DrainResult(9, 0, 0)
    assert drains.drain() == DrainResult(0, 0, 0)
    one.append(exposures(7, 8))
    assert drains.bytes_left() == LINE
    assert drains.drain() == DrainResult(1, 0, 0)
    assert ledger.ids() == names(0, 8)
    assert ledger.others() == {"Failure": 1, "ShadowScore": 1}
    assert sorted(ledger.journals().values()) == sorted((folder / n).stat().st_size for n in ledger.journals())


def test_an_empty_folder_has_nothing_to_drain(folder: Path, ledger: Ledger) -> None:
    assert Drains(folder, ledger).drain() == DrainResult(0, 0, 0)


def test_without_new_records_the_store_is_not_called(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = watched(ledger, monkeypatch)
    drains = Drains(folder, ledger)
    writing = writer(folder)
    writing.append(exposures(0, 5))
    for _ in range(5):
        drains.drain()
    assert calls == ["drained", "drain"]
    writing.append(exposures(5, 6))
    drains.drain()
    assert calls == ["drained", "drain", "drain"]


def test_a_new_drainer_continues_at_the_stored_position(folder: Path, ledger: Ledger) -> None:
    writing = writer(folder)
    for first in (0, 5):
        writing.append([*exposures(first, first + 5), failure()])
        drains = Drains(folder, ledger)
        assert drains.drain().records == 6
        drains.close()
    assert ledger.ids() == names(0, 10)
    assert ledger.others() == {"Failure": 2}


def test_what_a_failover_has_lost_is_drained_again(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    """The standby that is promoted can lack the last transactions, and no call fails when its turn comes."""
    standby = Ledger(tmp_path / "standby.db")
    writing = writer(folder)
    drains = Drains(folder, ledger)
    writing.append(exposures(0, 5))
    drains.drain()
    ledger.drain, ledger.drained, ledger.forget = standby.drain, standby.drained, standby.forget
    writing.append(exposures(5, 10))
    with pytest.raises(StoreUnavailable, match="instead of"):
        drains.drain()
    assert drains.drain().records == 10
    assert standby.ids() == names(0, 10)
    assert drains.drain().records == 0
    standby.close()


def test_a_drained_file_without_a_writer_is_deleted_and_an_open_one_stays(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 3 * LINE)
    writing = writer(folder)
    for number in range(10):
        writing.append([exposure(number)])
    assert len(journal_files.sizes(folder)) == 4
    drains = Drains(folder, ledger)
    drains.drain()
    [name] = journal_files.sizes(folder)
    assert ledger.journals() == {name: LINE}
    assert is_written(folder / name)
    writing.close()
    drains.drain()
    assert (journal_files.sizes(folder), ledger.journals()) == ({}, {})
    assert ledger.ids() == names(0, 10)


def test_a_large_file_is_stored_in_pieces_of_whole_lines(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drainer, "PIECE_BYTES", 3 * LINE + 7)
    calls = watched(ledger, monkeypatch)
    writer(folder).append(exposures(0, 10))
    assert Drains(folder, ledger).drain() == DrainResult(10, 0, 0)
    assert calls == ["drained", *["drain"] * 4]
    assert ledger.ids() == names(0, 10)


def test_an_incomplete_line_of_an_open_file_waits(folder: Path, ledger: Ledger) -> None:
    drains = Drains(folder, ledger)
    _, descriptor = journal_files.begin(folder)
    torn = line(exposure(1))
    os.write(descriptor, line(exposure(0)) + torn[:30])
    assert drains.drain() == DrainResult(1, 30, 0)
    assert drains.drain() == DrainResult(0, 30, 0)
    os.write(descriptor, torn[30:])
    assert drains.drain() == DrainResult(1, 0, 0)
    assert ledger.ids() == names(0, 2)
    os.close(descriptor)


def test_records_written_just_before_the_writer_ends_are_drained(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer writes and ends just before the drainer checks the file's lock."""
    drains = Drains(folder, ledger)
    writing = writer(folder)
    writing.append(exposures(0, 1))
    lock = lock_file.lock

    def late(descriptor: int) -> bool:
        writing.append(exposures(1, 2))
        writing.close()
        return lock(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(lock_file, "lock", late)
        drains.drain()
    assert ledger.ids() == names(0, 2)
    assert journal_files.sizes(folder) == {}


def test_an_incomplete_last_line_without_a_writer_is_logged_once(
    folder: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    drains = Drains(folder, ledger)
    path = dead(folder, line(exposure(0)) + line(exposure(1))[:30])
    assert drains.drain() == DrainResult(1, 0, 1)
    assert drains.drain() == DrainResult(0, 0, 0)
    assert not path.exists()
    assert ledger.journals() == {}
    [event] = caplog.messages
    assert event.startswith(f"journal_truncated path={path} bytes=30 ")


@pytest.mark.parametrize(
    "bad",
    [
        b"?",
        b"\0" * 500,
        b"[" * 100_000,
        b'["exposure"]',
        b'["other",1,"exp","A"]',
        b'["failure",1,"exp","C"]',
        b'["failure",1,"\xff","A"]',
        b'["failure",1.5,"exp","A"]',
        line(exposure(2)).strip().replace(b'"1h"', b'"!h"'),  # no report could be made of it
    ],
    ids=["garbage", "zeros", "deep", "short", "kind", "variant", "UTF-8", "type", "timeframe"],
)
def test_a_line_that_is_no_record_is_logged_and_skipped(
    folder: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture, bad: bytes
) -> None:
    path = dead(folder, line(exposure(0)) + bad + b"\n" + bad + b"\n" + line(exposure(1)))
    assert Drains(folder, ledger).drain() == DrainResult(2, 0, 2)
    assert ledger.ids() == names(0, 2)
    assert f"journal_lines_skipped path={path} position=0 count=2 error=" in caplog.text
    assert not path.exists()


def test_a_hole_larger_than_a_piece_is_skipped(folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drainer, "PIECE_BYTES", 2 * LINE)
    dead(folder, line(exposure(0)) + b"\0" * 10 * LINE + b"\n" + b"".join(map(line, exposures(1, 6))))
    found = Drains(folder, ledger).drain()
    assert found.records == 6
    assert found.problems > 0
    assert ledger.ids() == names(0, 6)


def test_a_position_beyond_the_end_of_the_file_counts_as_drained(folder: Path, ledger: Ledger) -> None:
    """After a power cut, a file can be shorter than the part of it that is in the store."""
    path = dead(folder, line(exposure(0)))
    ledger.drain(path.name, 5 * LINE, [*exposures(0, 4), failure()])
    assert Drains(folder, ledger).drain() == DrainResult(0, 0, 0)
    assert not path.exists()
    assert (ledger.ids(), ledger.others(), ledger.journals()) == (names(0, 4), {"Failure": 1}, {})


@pytest.mark.parametrize("gone", ["before", "after"])
def test_when_the_store_fails_nothing_is_lost_or_counted_twice(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """`before`: it fails before the commit. `after`: the connection breaks between the commit and its confirmation."""
    moments = ["", gone, gone, "", gone]
    store = ledger.drain

    def failing(journal: str, upto: int, records: Sequence[Record], *, after: int) -> None:
        moment = moments.pop(0) if moments else ""
        if moment == "before":
            raise StoreUnavailable("gone")
        store(journal, upto, records, after=after)
        if moment == "after":
            raise StoreUnavailable("gone")

    monkeypatch.setattr(drainer, "PIECE_BYTES", 4 * LINE)
    monkeypatch.setattr(ledger, "drain", failing)
    writing = writer(folder)
    drains = Drains(folder, ledger)
    writing.append(exposures(0, 2))
    drains.drain()
    for first in range(2, 20, 2):
        writing.append([*exposures(first, first + 2), failure()])
    failed = 0
    while True:
        try:
            drains.drain()
        except StoreUnavailable:
            failed += 1
            assert drains.bytes_left() > 0
        else:
            break
    assert failed == 3
    assert drains.bytes_left() == 0
    assert ledger.ids() == names(0, 20)
    assert ledger.others() == {"Failure": 9}


def test_a_position_is_kept_until_the_deletion_is_synced(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dead(folder, line(exposure(0)) + line(failure()))
    drains = Drains(folder, ledger)

    def broken(_: int) -> None:
        raise OSError("no sync")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(StoreUnavailable, match="no sync"):
            drains.drain()
    assert ledger.journals() == {path.name: LINE + len(line(failure()))}
    drains.drain()
    assert ledger.journals() == {}


def test_a_deleted_folder_is_logged_and_recreated(
    folder: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    drains = Drains(folder, ledger)
    shutil.rmtree(folder)
    folder.touch()
    with pytest.raises(StoreUnavailable, match=str(folder)) as refused:
        drains.drain()
    assert str(folder) not in refused.value.message  # clients see it
    assert drains.bytes_left() == 0
    folder.unlink()
    assert drains.drain() == drains.drain() == DrainResult(0, 0, 0)
    [event] = caplog.messages
    assert event.startswith(f"journal_folder_deleted path={folder} ")
    with pytest.raises(FolderInUse):  # the drainer holds the lock of the new folder, too
        Drains(folder, ledger)


@pytest.mark.parametrize("drained", [True, False])
@pytest.mark.parametrize("noticed_by", [Journal.retry, Journal.close])
def test_records_of_a_deleted_folder_are_stored_once(
    folder: Path, ledger: Ledger, noticed_by: Callable[[Journal], object], *, drained: bool
) -> None:
    writing = writer(folder)
    drains = Drains(folder, ledger)
    writing.append(exposures(0, 5))
    if drained:
        drains.drain()
    shutil.rmtree(folder)
    writing.append(exposures(5, 8))
    drains.drain()
    noticed_by(writing)
    writing.append(exposures(8, 9))
    drains.drain()
    assert ledger.ids() == names(0, 9)
    assert drains.bytes_left() == 0


def test_records_of_a_folder_that_is_moved_away_and_back_are_stored_once(folder: Path, ledger: Ledger) -> None:
    writing = writer(folder)
    drains = Drains(folder, ledger)
    writing.append(exposures(0, 5))
    folder.rename(folder.with_name("moved"))
    writing.append(exposures(5, 6))
    assert writing.retry()
    drains.drain()
    (moved,) = folder.with_name("moved").glob(f"*{journal_files.SUFFIX}")
    moved.rename(folder / moved.name)
    writing.append(exposures(6, 7))
    assert writing.retry()
    drains.drain()
    assert ledger.ids() == names(0, 7)


def test_an_unreadable_file_is_logged_once_and_others_are_drained(
    folder: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    drains = Drains(folder, ledger)
    (folder / f"0{journal_files.SUFFIX}").mkdir()
    writer(folder).append(exposures(0, 3))
    assert drains.drain() == DrainResult(3, 0, 1)
    assert drains.drain() == DrainResult(0, 0, 1)
    [event] = caplog.messages
    assert event.startswith(f"journal_unreadable path={folder}/0{journal_files.SUFFIX} error=")
    assert ledger.ids() == names(0, 3)


def test_a_folder_has_one_drainer(folder: Path, ledger: Ledger) -> None:
    first = Drains(folder, ledger)
    with pytest.raises(FolderInUse, match=rf"{folder} .*process {os.getpid()}$"):
        Drains(folder, ledger)
    first.close()
    Drains(folder, ledger).close()


def test_the_process_of_another_drainer_is_named_and_its_end_frees_the_folder(
    folder: Path, tmp_path: Path, ledger: Ledger
) -> None:
    command = [sys.executable, "-c", HOLDER, str(folder), str(tmp_path / "other")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(FolderInUse, match=f"process {holder.pid}"):
            Drains(folder, ledger)
        holder.kill()
    Drains(folder, ledger).close()


def test_the_lock_works_on_a_disk_too_full_for_the_process_id(
    folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        holder = Drainer(folder)
    with pytest.raises(FolderInUse, match="process unknown"):
        Drains(folder, ledger)
    holder.close()


def test_after_a_drain_the_journal_is_below_its_limit_and_writes_again(folder: Path, ledger: Ledger) -> None:
    writing = Journal(folder, bound_bytes=64 * 10 * LINE, memory_records=50)
    drains = Drains(folder, ledger)
    for number in range(1000):
        writing.append([exposure(number)])
    assert writing.degraded
    assert writing.unrecorded > 0
    drains.drain()
    assert writing.retry()
    drains.drain()
    assert ledger.ids() == names(0, 1000 - writing.unrecorded)
    assert ledger.others() == {"Unrecorded": writing.unrecorded}
