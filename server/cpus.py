"""The number of CPUs that this process may use, also in a container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class _Hierarchy(NamedTuple):
    """A mounted tree of control groups. Its group `root`, not always the top of the tree, is mounted at `folder`."""

    kind: str
    root: PurePosixPath
    folder: Path


def available(root: Path = Path("/")) -> int:
    """The number of CPUs that this process may run on, or the quota of its control group if that is less; at least 1.

    A quota is rounded down. With two busy processes on 1.5 CPUs, the kernel stops both for a quarter of each period of
    100 ms, and requests wait for that long. With one process, half a CPU is left to the keeper.
    `root`: the folder that holds `proc`.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        allowed = os.cpu_count() or 1
    return max(1, min([allowed, *map(int, _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """The quotas, in CPUs, of this process's control groups and of their parents, which limit it as well."""
    with suppress(OSError):
        groups = dict(_groups((root / "proc/self/cgroup").read_text()))
        for hierarchy in _hierarchies((root / "proc/self/mountinfo").read_text(), root):
            group = groups.get(hierarchy.kind)
            if group is None:
                continue
            # For a group outside the mounted tree, at least the limit of the mounted root is known.
            below = group.relative_to(hierarchy.root) if group.is_relative_to(hierarchy.root) else PurePosixPath()
            for part in (below, *below.parents):
                with suppress(OSError, ValueError, ZeroDivisionError):
                    yield _quota(hierarchy.folder / part, hierarchy.kind)


def _groups(text: str) -> Iterator[tuple[str, PurePosixPath]]:
    """The group in each hierarchy with a CPU controller (man 7 cgroups: /proc/PID/cgroup)."""
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            yield "cgroup2", PurePosixPath(path)
        elif "cpu" in controllers.split(","):
            yield "cgroup", PurePosixPath(path)


def _hierarchies(text: str, root: Path) -> Iterator[_Hierarchy]:
    """The mounted hierarchies (man 5 proc: /proc/PID/mountinfo)."""
    for line in text.splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split(",")):
            _, _, _, top, folder, *_ = mount.split(" ")
            yield _Hierarchy(kind, PurePosixPath(top), root / folder.lstrip("/"))


def _quota(folder: Path, kind: str) -> float:
    """The quota of one group, in CPUs. Raises ValueError for a group without a limit ("max" or -1)."""
    if kind == "cgroup2":
        quota, period = (folder / "cpu.max").read_text().split()
    else:
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    if int(quota) < 0:
        raise ValueError
    return int(quota) / int(period)
