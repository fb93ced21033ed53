"""Plays the part of systemd with a socket unit: passes listening sockets to a command, as sd_listen_fds(3) says."""

from __future__ import annotations

import sys
from collections.abc import Sequence

# Puts descriptors at 3 and up, and then becomes the command. They are moved out of each other's way first.
_LAUNCHER = """
import fcntl, os, sys
given, process, names, count = sys.argv[1:5]
away = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 200) for each in given.split()]
for target, each in enumerate(away, start=3):
    os.dup2(each, target, inheritable=True)
    os.close(each)
os.closerange(3 + len(away), 200)
os.environ["LISTEN_FDS"] = count or str(len(away))
os.environ["LISTEN_PID"] = process or str(os.getpid())
os.environ["LISTEN_FDNAMES"] = names
os.execvp(sys.argv[5], sys.argv[5:])
"""


def passing(descriptors: Sequence[int], *, process: str = "", names: str = "", count: str = "") -> Sequence[str]:
    """A prefix that passes descriptors, which it has inherited, to the command.

    `process`: the process that is said to be meant, in place of the command's own. `count`: in place of theirs.
    """
    return (sys.executable, "-c", _LAUNCHER, " ".join(map(str, descriptors)), process, names, count)
