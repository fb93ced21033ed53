from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from server.logs.writer import Writer
from tests.waiting import wait_until


def report(count: int) -> bytes:
    return b"dropped %d\n" % count


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for each in (reading, writing):
        os.close(each)


def fill(writing: int) -> int:
    """Fill a pipe; returns the bytes in it."""
    os.set_blocking(writing, False)
    size = 0
    try:
        while True:
            size += os.write(writing, b"\n" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return size


def read(reading: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += os.read(reading, size - len(found))
    return found


def test_lines_come_in_order_and_whole(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = Writer(writing, report)
    lines = [b"%d %b\n" % (i, b"x" * (i * 37 % 5000)) for i in range(100)]
    writer.start()
    for line in lines:
        writer.put(line)
    assert read(reading, len(b"".join(lines))) == b"".join(lines)
    assert writer.dropped == 0


def test_a_full_pipe_blocks_neither_before_nor_after_the_thread_starts(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    size = fill(writing)
    writer = Writer(writing, report)
    writer.put(b"early\n")
    writer.start()
    writer.put(b"late\n")
    assert not writer.flush(0.01)
    assert read(reading, size).strip() == b""
    assert writer.flush(10)
    assert read(reading, 11) == b"early\nlate\n"


def test_lines_without_room_are_counted_and_reported_behind_those_with_room(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    size = fill(writing)
    writer = Writer(writing, report, bound_bytes=1000)
    writer.start()
    for i in range(100):
        writer.put(b"%02d\n" % i)
    kept = 100 - writer.dropped
    assert 0 < kept < 100
    read(reading, size)
    kept_lines = b"".join(b"%02d\n" % i for i in range(kept))
    expected = kept_lines + report(100 - kept)
    assert read(reading, len(expected)) == expected
    writer.put(b"after\n")
    assert read(reading, 6) == b"after\n"


def test_lines_that_cannot_be_written_are_counted() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = Writer(writing, report)
    writer.put(b"before the thread\n")
    writer.start()
    for _ in range(5):
        writer.put(b"lost\n")
    assert writer.flush(10)
    assert writer.dropped == 6
    os.close(writing)


def test_a_line_after_a_part_of_one_begins_on_a_new_line(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    results: list[int | OSError] = [3, OSError(28, "full"), 7]

    def write(_: int, text: memoryview) -> int:
        result = results.pop(0) if results else len(text)
        if isinstance(result, OSError):
            raise result
        written.append(bytes(text[:result]))
        return result

    monkeypatch.setattr(os, "write", write)
    writer = Writer(os.open(os.devnull, os.O_WRONLY), report)
    writer.put(b"first line\n")
    writer.put(b"second\n")
    assert writer.dropped == 1
    assert b"".join(written) == b"fir\nsecond\n"


def test_a_descriptor_that_another_program_made_non_blocking_loses_nothing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    size = fill(writing)
    os.set_blocking(writing, False)
    writer = Writer(writing, report)
    writer.start()
    writer.put(b"line\n")
    assert not writer.flush(0.01)
    read(reading, size)
    assert read(reading, 5) == b"line\n"
    assert writer.dropped == 0


def test_a_child_writes_its_own_lines_only(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    size = fill(writing)
    writer = Writer(writing, report)
    writer.start()
    writer.put(b"parent\n")
    child = os.fork()
    if child == 0:
        writer.put(b"child\n")
        os._exit(0 if writer.flush(10) else 1)
    read(reading, size)
    assert os.waitpid(child, 0)[1] == 0
    assert writer.flush(10)
    assert sorted(read(reading, 13).splitlines()) == [b"child", b"parent"]
    wait_until(lambda: writer.dropped == 0)
