"""Journals under SIGKILL: writers killed at random moments, and drainers killed at each step."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from core.journals import journal_files
from tests.core.journals.samples import Drains, Ledger, exposure, exposures, line
from tests.market import ROOT

pytestmark = pytest.mark.serial  # forks, and kills writers at random moments

LINE = len(line(exposure(1)))

# Appends one exposure and one failure at a time, and prints the exposure's id after each append.
WRITER = """
import sys
from pathlib import Path
from core.journals import journal
from core.journals.journal import Journal
from tests.core.journals.samples import exposure, failure

folder, worker, file_bytes, appends = sys.argv[1:]
journal.FILE_BYTES = int(file_bytes)
found = Journal(Path(folder), bound_bytes=1 << 30, memory_records=1000)
for number in range(int(appends)):
    name = f"{worker}-{number:06d}"
    found.append([exposure(name), failure()])
    print(name, flush=True)
"""

# Drains the same files in a series of child processes. The n-th kills itself at the n-th moment before or after a step
# that changes the disk or the store; the last one completes.
KILLED_DRAINER = """
import os, signal, sys
from itertools import count
from pathlib import Path
from core.journals import drainer, journal
from core.journals.journal import Journal
from tests.core.journals.samples import Drains, Ledger, exposures, failure

drainer.PIECE_BYTES = 5000
journal.FILE_BYTES = 8000
for moment in count():
    place = Path(sys.argv[1]) / str(moment)
    writer = Journal(place / "journals", bound_bytes=1 << 30, memory_records=10)
    for first in range(0, 70, 10):
        writer.append([*exposures(first, first + 10), failure()])
    writer.close()
    child = os.fork()
    if child == 0:
        ledger = Ledger(place / "ledger")
        steps = count()
        def step():
            if next(steps) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
        def between(function):
            def run(*arguments, **options):
                step()
                result = function(*arguments, **options)
                step()
                return result
            return run
        for owner, name in ((ledger, "drain"), (ledger, "forget"), (Path, "unlink"), (os, "fsync")):
            setattr(owner, name, between(getattr(owner, name)))
        Drains(place / "journals", ledger).drain()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
    if status == 0:
        break
"""


def started(folder: Path, name: str, *, file_bytes: int, appends: int) -> subprocess.Popen[bytes]:
    """A worker in a process of its own. It prints each id after the append."""
    command = [sys.executable, "-c", WRITER, str(folder), name, str(file_bytes), str(appends)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def names(first: int, end: int) -> list[str]:
    return sorted(each.prediction_id for each in exposures(first, end))


def test_every_record_that_a_killed_writer_acknowledged_is_stored_once(folder: Path, ledger: Ledger) -> None:
    """Ten writers are killed at random moments, and drained meanwhile. Each can leave one unacknowledged record."""
    acknowledged: list[str] = []
    drains = Drains(folder, ledger)
    chance = np.random.default_rng()
    for attempt in range(10):
        with started(folder, str(attempt), file_bytes=100 * LINE, appends=1_000_000) as process:
            assert process.stdout is not None
            acknowledged.append(process.stdout.readline().decode().strip())
            end = time.monotonic() + chance.uniform(0, 0.05)
            while time.monotonic() < end:
                acknowledged.append(process.stdout.readline().decode().strip())
                if chance.random() < 0.02:
                    drains.drain()
            process.kill()
            # The ids that it printed before it was killed; the last line can be incomplete.
            acknowledged += [each.decode().strip() for each in process.stdout if each.endswith(b"\n")]
        assert process.returncode == -signal.SIGKILL
    drains.drain()
    assert len(acknowledged) == len(set(acknowledged)) > 10
    found = ledger.ids()
    assert set(acknowledged) <= set(found)
    assert len(found) <= len(acknowledged) + 10
    assert 0 <= len(found) - ledger.others()["Failure"] <= 10
    assert (journal_files.sizes(folder), ledger.journals()) == ({}, {})


def test_draining_while_files_are_created_and_deleted_loses_nothing(folder: Path, ledger: Ledger) -> None:
    """Two workers create a new file at every append, while a drainer deletes files as fast as it can."""
    drains = Drains(folder, ledger)
    rounds = 0
    with (
        started(folder, "a", file_bytes=1, appends=300) as one,
        started(folder, "b", file_bytes=1, appends=300) as other,
    ):
        while one.poll() is None or other.poll() is None:
            drains.drain()
            rounds += 1
        assert (one.returncode, other.returncode) == (0, 0)
    drains.drain()
    assert rounds > 1
    assert ledger.ids() == [f"{name}-{number:06d}" for name in ("a", "b") for number in range(300)]
    assert ledger.others() == {"Failure": 600}
    assert (journal_files.sizes(folder), ledger.journals()) == ({}, {})


def test_a_drainer_killed_at_any_step_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    script = [sys.executable, "-c", KILLED_DRAINER, str(tmp_path)]
    ends = [int(each) for each in subprocess.run(script, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.split()]
    assert ends[-1] == 0
    assert ends[:-1] == [-signal.SIGKILL] * (len(ends) - 1)
    left_over = 0
    for moment in range(len(ends)):
        folder, ledger = tmp_path / str(moment) / "journals", Ledger(tmp_path / str(moment) / "ledger")
        drains = Drains(folder, ledger)
        drains.drain()
        drains.close()
        assert ledger.ids() == names(0, 70), moment
        assert ledger.others() == {"Failure": 7}, moment
        assert journal_files.sizes(folder) == {}, moment
        left_over += len(ledger.journals())
        ledger.close()
    assert len(ends) > 16
    # A kill between unlink and forget leaves positions of names that are never used again.
    assert left_over > 0
