"""CPU seconds of single processes, by their part in a server."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from benchmarks.servers import Running, cpu_seconds

_TICKS = os.sysconf("SC_CLK_TCK")
_CHILDREN = slice(13, 15)  # cutime and cstime, counted from the state of the process


def of_worker(running: Running) -> float:
    """Return the CPU seconds of all workers, which are started last."""
    return sum(map(cpu_seconds, running.pids[2:]))


def of_keeper(running: Running) -> float:
    """Return the CPU seconds of the keeper, which is the server's first process."""
    return cpu_seconds(running.pids[0])


def of_tree(pid: int) -> float:
    """Return the CPU seconds of a process, of its children, and of those children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    found = cpu_seconds(pid) + sum(map(int, fields[_CHILDREN])) / _TICKS
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):  # ended meanwhile
            found += cpu_seconds(int(child))
    return found
