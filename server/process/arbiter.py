"""gunicorn's arbiter, which starts and replaces the workers. Here it survives a failed fork, and it reloads safely."""

from __future__ import annotations

import logging
import os
import signal
import time
from types import FrameType
from typing import Any, Protocol

from gunicorn.arbiter import Arbiter as GunicornArbiter
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger

from core.log_event import LogEvent
from server.process.backoff import Backoff
from server.process.connection_balancing import Connections

log = logging.getLogger(__name__)

# The pauses after the first fork at startup and after the others: the first worker accepts earlier if the others do not
# load beside it.
_AFTER_FIRST_FORK_SECONDS = 0.1
_AFTER_FORK_SECONDS = 0.05
# The interval at which a reload checks whether new workers accept connections.
_RELOAD_LOOK_SECONDS = 0.05


class App(Protocol):
    """What the arbiter needs to know of the application."""

    connections: Connections

    def forget(self, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        """Clear up after a worker that has ended."""


class Log(Logger):  # type: ignore[misc]
    """Sends gunicorn's log to the server's log."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401, ARG002 - as the base class has it
        """Remove the handlers of gunicorn's log."""
        self.error_log.handlers = []
        self.error_log.propagate = True
        # gunicorn's info lines (booting, listening at) repeat what the server logs.
        self.error_log.setLevel(max(logging.getLogger().level, logging.WARNING))


class Arbiter(GunicornArbiter):  # type: ignore[misc]
    """Differs from gunicorn's in these points.

    A fork that fails, or a worker that ends before it serves, is tried again with a growing pause. A reload stops an
    old worker only when a new one accepts connections. A stop is announced to the workers. All signals of gunicorn
    that change the number of workers, reopen files or start a second server are ignored.
    """

    SIGNALS = (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM)
    app: App
    WORKERS: dict[int, Any]

    def __init__(self, app: App) -> None:
        self._received: set[int] = set()
        self._stopping: set[int] = set()  # process ids of workers that were asked to end
        self._ending = False
        self._outdated = 0  # workers up to this age are replaced
        self._reload_again = False
        self._backoff = Backoff()
        super().__init__(app)
        self.systemd = True  # as with sockets of systemd, gunicorn must not remove their files: the keeper does

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Queue a signal, which the main loop handles later."""
        self._received.add(sig)
        super().signal(sig, frame)

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Wait for signals, for a shorter time if there is something to do before that."""
        if self._old():
            timeout = _RELOAD_LOOK_SECONDS
        elif self._backoff.seconds_left:
            timeout = min(timeout, self._backoff.seconds_left)
        signals: list[int] = super().wait_for_signals(timeout)
        return signals

    def reload(self) -> None:
        """Replace all workers. If a reload is in progress, the next one begins after it."""
        if self._old():
            self._reload_again = True
            return
        self._reload_again = False
        self._outdated = self.worker_age

    def manage_workers(self) -> None:
        """Start missing workers. In a reload, stop one old worker for each new one that accepts connections."""
        if self._reload_again:
            self.reload()
        while len(self._new()) < self.num_workers and not self._backoff.seconds_left:
            if self.spawn_worker() is None:
                break
            if not self._outdated:
                time.sleep(_AFTER_FORK_SECONDS if self.worker_age > 1 else _AFTER_FIRST_FORK_SECONDS)
        accepting = sum(self.app.connections.is_accepting(worker.age) for worker in self._new())
        old = [worker for worker in self._old() if worker.pid not in self._stopping]
        for worker in old[: max(0, len(old) + accepting - self.num_workers)]:
            self.kill_worker(worker.pid, signal.SIGTERM)

    def spawn_worker(self) -> int | None:
        """Fork a worker; returns its process id, or None if that failed. It does not return in the worker."""
        try:
            pid: int = super().spawn_worker()
        except OSError as error:  # the limit of processes, memory or descriptors
            seconds = self._backoff.failed()
            effect = f"the workers that run go on; it is tried again in {seconds:g} s"
            log.error(LogEvent("worker_fork_failed", error=error, workers=len(self.WORKERS), effect=effect))
            return None
        return pid

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send a worker a signal."""
        if sig in (signal.SIGTERM, signal.SIGQUIT):
            self._stopping.add(pid)
        super().kill_worker(pid, sig)

    def reap_workers(self) -> None:
        """Collect ended workers. Raises HaltServer if one cannot start and no other one serves."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if (worker := self.WORKERS.pop(pid, None)) is not None:
                worker.tmp.close()
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002 - as the base class has it
        """Stop all workers. gunicorn would drop a SIGQUIT that was queued behind a SIGTERM, so it is looked up here."""
        self._ending = True
        self.app.connections.end()
        super().stop(graceful and signal.SIGQUIT not in self._received)

    def _new(self) -> list[Any]:
        return [worker for worker in self.WORKERS.values() if worker.age > self._outdated]

    def _old(self) -> list[Any]:
        """The workers that a reload replaces, the oldest first."""
        return sorted((each for each in self.WORKERS.values() if each.age <= self._outdated), key=lambda each: each.age)

    def _ended(self, worker: Any, code: int) -> None:  # noqa: ANN401 - gunicorn has no types
        asked = worker.pid in self._stopping
        self._stopping.discard(worker.pid)
        served = self.app.connections.is_accepting(worker.age)
        self.app.forget(worker)
        if code == 0 or self._ending or (asked and code == -signal.SIGTERM):
            return
        reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if served or asked:
            log.error(LogEvent("worker_ended", process=worker.pid, reason=reason, effect="another one is started"))
            return
        if code == self.WORKER_BOOT_ERROR and not self.app.connections.any_accepting():
            log.error(LogEvent("worker_start_failed", process=worker.pid, reason=reason, effect="the server stops"))
            raise HaltServer("no worker can start", self.WORKER_BOOT_ERROR)
        effect = f"another one is started in {self._backoff.failed():g} s"
        if code == -signal.SIGPROF:  # see core/serving/trials.py
            reason += ": loading a bundle took too much CPU time"
            effect += " and tries that bundle in a process of its own"
        workers = len(self.WORKERS)
        log.error(LogEvent("worker_start_failed", process=worker.pid, reason=reason, workers=workers, effect=effect))
