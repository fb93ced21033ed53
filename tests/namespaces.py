"""Runs a server on another machine, as far as it can tell: with other mounts, networks, users or process ids."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.needs import missing, root

# No other process has this user id, so that a limit of its processes concerns the server only.
USER = 61234
_AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
# Python itself may be in a folder that only root can read.
_READS_ALL = "+dac_override,+dac_read_search"


def needs(*command: str) -> None:
    """Skip the test, or fail it in CI, if a command cannot be run here."""
    root()
    try:
        run = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        missing(f"not installed: {error.filename}")
    if run.returncode != 0:
        missing(f"{command[0]} is not allowed here: {run.stderr.decode()}")


def after(script: str, *namespaces: str) -> Sequence[str]:
    """A prefix that runs a shell script in namespaces of its own, and then the command."""
    prefix = ("unshare", "--mount", *namespaces, "sh", "-e", "-c", f'{script}\ncd "$PWD"\nexec "$@"', "sh")
    needs(*prefix, "true")
    return prefix


def entering(pid: int, *namespaces: str) -> Sequence[str]:
    """A prefix that runs a command in namespaces of a running process."""
    prefix = ("nsenter", f"--target={pid}", *namespaces)
    needs(*prefix, "true")
    return prefix


def read_only(folder: object) -> str:
    """A script that makes a folder, given by its path, read-only."""
    return f"mount --bind '{folder}' '{folder}'\nmount -o remount,bind,ro '{folder}'\n"


def limited(processes: int) -> Sequence[str]:
    """A prefix that runs a command as another user, with a limit of its processes and threads."""
    prefix = (
        *_AS_USER, f"--inh-caps=-all,{_READS_ALL}", f"--ambient-caps={_READS_ALL}", "prlimit", f"--nproc={processes}:",
    )  # fmt: skip
    needs(*prefix, "true")
    return prefix


def limit(pid: int, processes: int) -> None:
    """Change that limit for a running process."""
    subprocess.run([*_AS_USER, "prlimit", f"--pid={pid}", f"--nproc={processes}:"], check=True)


def signals(pid: int, kind: str) -> set[int]:
    """The signals that a process blocks (`SigBlk`), ignores (`SigIgn`) or handles (`SigCgt`)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name == kind:
            return {number for number in range(1, 65) if int(mask, 16) >> (number - 1) & 1}
    return set()
