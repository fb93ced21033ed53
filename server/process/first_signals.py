"""Signals from the first moment of the process, and an init process if this one is process 1 of a container.

Import nothing slow here: what comes before `prepare` is a time in which signals are lost or kill.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn

STOPPING = (signal.SIGTERM, signal.SIGINT)
# Handled by the keeper once it runs, and kept for it until then.
HANDLED = (*STOPPING, signal.SIGHUP)
# Nothing is reopened or restarted with these, and the number of workers is a setting. SIGTTOU would stop a server in
# the background of a terminal, only because it writes its log. Forked processes inherit this.
IGNORED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH)
# Passed on by an init process.
_PASSED_ON = (*HANDLED, signal.SIGQUIT)
_INIT = 1
# The process that a service manager means. Process 1 of a container is the server's init process, not the server.
_MEANT = ("LISTEN_PID", "WATCHDOG_PID")


def prepare() -> None:
    """Handle signals until the keeper does: SIGTERM and SIGINT end the process, SIGHUP waits for the keeper.

    Process 1 has no default actions, so the kernel would drop a SIGTERM that comes before a handler is set. Process 1
    also has to collect all orphans of its container. It becomes an init process, and this returns in its only child.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (*_PASSED_ON, signal.SIGCHLD))
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    # If the parent ignored it, the kernel would collect ended children, and the keeper would wait for one forever.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.getpid() == _INIT:
        child = os.fork()
        if child:
            os._exit(_run_init(child))
        # Ctrl-C then reaches only process 1, which passes it on: twice, it would count as a second signal to stop.
        os.setpgid(0, 0)
        for name in _MEANT:
            if os.environ.get(name) == str(_INIT):
                os.environ[name] = str(os.getpid())
    for number in STOPPING:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_SETMASK, {*before, signal.SIGHUP})


def block() -> None:
    """Keep the signals to stop for the keeper, because there is now something to clear up at a stop."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)


def _end(_: int, __: FrameType | None) -> NoReturn:
    os._exit(0)  # nothing has been opened yet


def _run_init(child: int) -> int:
    """Pass signals on to the child, and collect orphans, until the child has ended; returns its exit code."""
    while True:
        received = signal.sigwait((*_PASSED_ON, signal.SIGCHLD))
        if received != signal.SIGCHLD:
            os.kill(child, received)
            continue
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if not pid:
                break
