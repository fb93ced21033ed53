"""How many CPUs this process may use, in a container too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class _Hierarchy(NamedTuple):
    """Where a tree of control groups is seen: its folder `root`, which may be one far below its top, at `folder`."""

    kind: str
    root: PurePosixPath
    folder: Path


def available(root: Path = Path("/")) -> int:
    """CPUs that this process may run on, or fewer where a control group grants it less time; at least 1.

    A quota is rounded down: two busy processes on 1.5 CPUs are both stopped for a quarter of each period, which is
    100 ms, and so is whatever they were to answer then; one leaves half a CPU to the keeper.
    `root`: the folder that holds `proc`.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        allowed = os.cpu_count() or 1
    return max(1, min([allowed, *map(int, _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """CPUs that this process's control groups grant it, and those above them, which bind as well."""
    with suppress(OSError):
        groups = dict(_groups((root / "proc/self/cgroup").read_text()))
        for hierarchy in _hierarchies((root / "proc/self/mountinfo").read_text(), root):
            group = groups.get(hierarchy.kind)
            if group is None:
                continue
            # A group outside of what is mounted here shows at least as the mount's own folder.
            below = group.relative_to(hierarchy.root) if group.is_relative_to(hierarchy.root) else PurePosixPath()
            for part in (below, *below.parents):
                with suppress(OSError, ValueError, ZeroDivisionError):
                    yield _quota(hierarchy.folder / part, hierarchy.kind)


def _groups(text: str) -> Iterator[tuple[str, PurePosixPath]]:
    """The group in each hierarchy that knows CPU time (man 7 cgroups: /proc/PID/cgroup)."""
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            yield "cgroup2", PurePosixPath(path)
        elif "cpu" in controllers.split(","):
            yield "cgroup", PurePosixPath(path)


def _hierarchies(text: str, root: Path) -> Iterator[_Hierarchy]:
    """Those that are mounted (man 5 proc: /proc/PID/mountinfo)."""
    for line in text.splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split(",")):
            _, _, _, top, folder, *_ = mount.split(" ")
            yield _Hierarchy(kind, PurePosixPath(top), root / folder.lstrip("/"))


def _quota(folder: Path, kind: str) -> float:
    """Time per period of one group; raises ValueError for a group without a limit, "max" or -1."""
    if kind == "cgroup2":
        quota, period = (folder / "cpu.max").read_text().split()
    else:
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    if int(quota) < 0:
        raise ValueError
    return int(quota) / int(period)
