from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from core.experiments.records import Record, Unrecorded
from core.files import lock_file
from core.journals import journal, journal_files
from core.journals.journal import Journal
from tests.core.journals.samples import (
    EXPERIMENT,
    exposure,
    exposures,
    failure,
    is_written,
    largest_file,
    line,
    score,
    written,
)

LINE = len(line(exposure(1)))


def made(folder: Path, *, bound_bytes: int = 1 << 30, memory_records: int = 1000) -> Journal:
    return Journal(folder, bound_bytes=bound_bytes, memory_records=memory_records)


def counts(records: list[Record]) -> dict[tuple[str, str], int]:
    return {(r.experiment_id, r.variant): r.count for r in records if isinstance(r, Unrecorded)}


@pytest.fixture
def retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0)


def test_an_append_is_one_write_of_all_its_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []
    write = os.write

    def watched(descriptor: int, data: bytes) -> int:
        writes.append(data)
        return write(descriptor, data)

    found = made(tmp_path)
    records: list[Record] = [*exposures(0, 3), failure(), score(1)]
    monkeypatch.setattr(os, "write", watched)
    found.append(records)
    assert writes == [b"".join(map(line, records))]
    assert written(tmp_path) == records
    assert (found.waiting, found.unrecorded, found.degraded, found.error) == (0, 0, False, None)


def test_journals_never_share_a_file_and_their_names_sort_by_time(tmp_path: Path) -> None:
    found = [made(tmp_path) for _ in range(5)]
    for number, each in enumerate(found):
        each.append([exposure(number)])
    assert len(journal_files.sizes(tmp_path)) == 5
    assert written(tmp_path) == exposures(0, 5)


def test_the_file_is_locked_until_the_journal_is_closed(tmp_path: Path) -> None:
    found = made(tmp_path)
    found.append(exposures(0, 1))
    [path] = tmp_path.iterdir()
    assert is_written(path)
    assert found.close() == 0
    assert not is_written(path)


def test_closing_deletes_a_file_without_records(tmp_path: Path) -> None:
    made(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_at_the_size_limit_a_new_file_is_created_and_the_old_one_is_unlocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 10 * LINE)
    found = made(tmp_path)
    for number in range(35):
        found.append([exposure(number)])
    paths = [tmp_path / name for name in journal_files.sizes(tmp_path)]
    assert [path.stat().st_size // LINE for path in paths] == [10, 10, 10, 5]
    assert [is_written(path) for path in paths] == [False, False, False, True]
    assert written(tmp_path) == exposures(0, 35)


@pytest.mark.parametrize("whole", [0, 1, 2])
def test_a_short_write_is_cut_back_to_the_last_complete_record(
    tmp_path: Path, whole: int, caplog: pytest.LogCaptureFixture
) -> None:
    found = made(tmp_path)
    found.append(exposures(0, 4))
    with largest_file((4 + whole) * LINE + LINE // 2):
        found.append(exposures(4, 7))
    assert written(tmp_path) == exposures(0, 4 + whole)
    assert found.waiting == 3 - whole
    assert found.error is not None
    assert f"{whole * LINE + LINE // 2} of {3 * LINE} bytes" in found.error
    assert f'journal_unwritable error="{found.error}"' in caplog.text
    assert found.retry()
    found.append(exposures(7, 8))
    assert written(tmp_path) == exposures(0, 8)
    assert not found.degraded


def test_on_a_full_disk_records_wait_and_are_written_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = made(tmp_path)
    found.append(exposures(0, 2))
    with largest_file(0):
        for number in range(2, 50):
            found.append([exposure(number)])
        assert not found.retry()
        assert found.degraded
        assert "File too large" in str(found.error)
    assert (found.waiting, found.unrecorded) == (48, 0)
    assert found.retry()
    found.append(exposures(50, 52))
    assert written(tmp_path) == exposures(0, 52)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert caplog.messages[0].startswith("journal_unwritable error=")
    assert caplog.messages[1] == "journal_writable unrecorded=0"


@pytest.mark.usefixtures("retry_at_once")
def test_a_full_disk_is_not_filled_with_empty_files(tmp_path: Path) -> None:
    found = made(tmp_path)
    with largest_file(0):
        for number in range(50):
            found.append([exposure(number)])
        assert list(tmp_path.iterdir()) == []
    found.append(exposures(50, 51))
    assert written(tmp_path) == exposures(0, 51)


def test_creating_the_folder_is_tried_again_after_a_failure(tmp_path: Path) -> None:
    """A file is in the folder's place. Missing permissions would not fail if the tests run as root."""
    folder = tmp_path / "volume" / "journals"
    folder.parent.touch()
    found = made(folder)
    assert found.degraded
    found.append(exposures(0, 3))
    assert "Not a directory" in str(found.error) or "File exists" in str(found.error)
    assert not found.retry()
    folder.parent.unlink()
    assert found.retry()
    found.append(exposures(3, 4))
    assert written(folder) == exposures(0, 4)


def test_after_a_failure_appends_do_not_write_until_the_retry_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETRY_SECONDS", 1000)
    found = made(tmp_path)
    with largest_file(0):
        found.append(exposures(0, 1))
    found.append(exposures(1, 2))
    assert (written(tmp_path), found.waiting) == ([], 2)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1001)
    found.append(exposures(2, 3))
    assert (written(tmp_path), found.waiting) == (exposures(0, 3), 0)


@pytest.mark.usefixtures("retry_at_once")
def test_waiting_records_are_written_in_batches_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "BATCH", 10)
    found = made(tmp_path)
    with largest_file(0):
        found.append(exposures(0, 35))
    assert not found.retry()
    assert (found.waiting, found.degraded) == (25, True)
    found.append(exposures(35, 37))
    assert found.waiting == 17
    assert [found.retry(), found.retry(), found.retry()] == [False, True, True]
    found.append(exposures(37, 38))
    assert written(tmp_path) == exposures(0, 38)


def test_with_full_memory_exposures_are_counted_by_variant_and_counts_are_written_last(tmp_path: Path) -> None:
    found = made(tmp_path, memory_records=10)
    with largest_file(0):
        found.append(exposures(0, 8))
        found.append([failure(), *exposures(8, 12), score(1), failure()])
        found.append([exposure(12, "B"), exposure(13, "B", "other")])
        assert (found.waiting, found.unrecorded) == (10, 5)
        assert not found.retry()
    assert found.retry()
    records = written(tmp_path)
    assert records[:10] == [*exposures(0, 8), failure(), exposure(8)]
    assert counts(records[10:]) == {(EXPERIMENT, "A"): 3, (EXPERIMENT, "B"): 1, ("other", "B"): 1}
    assert len(records) == 13
    found.append(exposures(14, 15))
    assert written(tmp_path)[13:] == exposures(14, 15)
    assert found.unrecorded == 5


def test_counts_are_written_once_each_even_if_only_some_fit(tmp_path: Path) -> None:
    found = made(tmp_path, memory_records=0)
    with largest_file(0):
        found.append([exposure(1, "A"), exposure(2, "B"), exposure(3, "B")])
    with largest_file(len(line(Unrecorded(1_760_000_000_000_000, EXPERIMENT, "A", 1))) + 5):
        assert not found.retry()
    assert counts(written(tmp_path)) == {(EXPERIMENT, "A"): 1}
    assert found.retry()
    assert counts(written(tmp_path)) == {(EXPERIMENT, "A"): 1, (EXPERIMENT, "B"): 2}
    assert len(written(tmp_path)) == 2


@pytest.mark.usefixtures("retry_at_once")
def test_above_the_limit_of_all_files_nothing_is_written_until_there_is_room(tmp_path: Path) -> None:
    bound = 64 * 10 * LINE
    others = made(tmp_path, bound_bytes=bound)
    for number in range(500):
        others.append([exposure(number)])
    found = made(tmp_path, bound_bytes=bound, memory_records=100)
    total = 2000
    for number in range(500, total):
        found.append([exposure(number)])
    size = sum(journal_files.sizes(tmp_path).values())
    assert bound < size <= bound + 10 * LINE
    assert f"{size} bytes (limit {bound})" in str(found.error)
    kept = size // LINE
    assert found.waiting == 100
    assert found.unrecorded == total - kept - 100

    before = set(journal_files.sizes(tmp_path))
    assert not is_written(tmp_path / max(before))
    for name in before:
        (tmp_path / name).unlink()
    assert found.retry()
    records = written(tmp_path)
    assert records[:-1] == exposures(kept, kept + 100)
    assert counts(records) == {(EXPERIMENT, "A"): total - kept - 100}
    found.append(exposures(total, total + 1))
    assert written(tmp_path)[-1] == exposure(total)


def test_closing_writes_waiting_records_even_above_the_limit(tmp_path: Path) -> None:
    (tmp_path / f"0{journal_files.SUFFIX}").write_bytes(b"\n" * 2000)
    found = made(tmp_path, bound_bytes=1000, memory_records=3)
    found.append(exposures(0, 5))
    assert (found.waiting, found.unrecorded, len(list(tmp_path.iterdir()))) == (3, 2, 1)
    assert found.close() == 0
    records = written(tmp_path)
    assert records[:3] == exposures(0, 3)
    assert counts(records) == {(EXPERIMENT, "A"): 2}


def test_closing_returns_the_number_of_lost_exposures(tmp_path: Path) -> None:
    found = made(tmp_path, memory_records=4)
    with largest_file(0):
        found.append([*exposures(0, 3), failure(), *exposures(3, 5)])
        assert found.unrecorded == 2
        assert found.close() == 5
    assert (found.waiting, found.unrecorded) == (0, 5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("retry_at_once")
def test_a_deleted_file_is_recreated_before_the_next_one_or_its_loss_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 5 * LINE)
    found = made(tmp_path)
    for first, size in ((0, 1 << 20), (10, 3 * LINE - 1)):
        found.append(exposures(first, first + 3))
        [path] = [tmp_path / name for name in journal_files.sizes(tmp_path) if is_written(tmp_path / name)]
        path.unlink()
        with largest_file(size):
            found.append(exposures(first + 3, first + 6))
            found.retry()
    assert found.retry()
    assert written(tmp_path) == [*exposures(0, 6), *exposures(13, 16)]
    [recreated, _, lost, _] = caplog.messages
    assert recreated.startswith(f"journal_deleted path={tmp_path}/")
    assert lost.startswith(f"journal_lost path={path} bytes={3 * LINE} error=")
    assert not list(tmp_path.glob("*.begun"))


def test_the_drainer_sees_no_file_before_it_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before that, the file would look as if it had no writer any more."""
    lock = lock_file.lock
    seen: list[dict[str, int]] = []

    def looked_at(descriptor: int) -> bool:
        seen.append(journal_files.sizes(tmp_path))
        return lock(descriptor)

    monkeypatch.setattr(lock_file, "lock", looked_at)
    found = made(tmp_path)
    found.append(exposures(0, 1))
    assert seen == [{}]
    assert written(tmp_path) == exposures(0, 1)
