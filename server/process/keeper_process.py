"""The keeper's process: serves the keeper's socket until the workers' manager has ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import uvloop
from aiohttp import web

from core.journals.drainer import FolderInUse
from core.log_event import LogEvent
from core.store.interface import SchemaTooNew, StateFileMounted, StoreInUse, StoreUnsuitable
from server.keeper.app import make_keeper_app
from server.keeper.app_keys import MEMBERS
from server.keeper.audit import AuditUnusable
from server.keeper.fleet.member import Member
from server.keeper.fleet.members import Members
from server.process import shared_folder
from server.process.service_manager import ServiceManager, Workers
from server.settings import Settings
from server.threads import Threads, ThreadsExhausted

log = logging.getLogger(__name__)

# The interval of the check that workers can still reach the keeper.
_LOOK_SECONDS = 1.0
STOPPING = (signal.SIGTERM, signal.SIGINT)
# Errors that the operator can fix: one line is printed, without a traceback.
_OPERATOR_ERRORS = (
    AuditUnusable, FolderInUse, StateFileMounted, StoreInUse, StoreUnsuitable, SchemaTooNew, ThreadsExhausted, OSError,
)  # fmt: skip


def run(settings: Settings, listening: socket.socket, path: Path, manager: int, service: ServiceManager) -> int:
    """Serve on a listening socket until the workers' manager has ended; returns the exit code.

    `path`: the path of the socket. `manager`: the process id of the manager.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, listening, path, manager, service))


class _Manager:
    """The workers' manager. After it has `ended`, its process id may be reused, so no signal is sent."""

    def __init__(self, pid: int) -> None:
        loop = asyncio.get_running_loop()
        self._pid = pid
        try:
            descriptor = os.pidfd_open(pid)
        except (AttributeError, OSError):  # not on Linux, or refused by a filter of system calls
            self.ended: asyncio.Future[tuple[int, int]] = loop.run_in_executor(None, os.waitpid, pid, 0)
            return
        # No thread, because none can be started while a limit of processes is reached.
        self.ended = loop.create_future()
        loop.add_reader(descriptor, self._collect, descriptor)

    def _collect(self, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self.ended.set_result(os.waitpid(self._pid, 0))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if not self.ended.done():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self._pid, number)


class _Stop:
    """Handles a signal to stop: it is passed to the manager after the grace period, a second one immediately."""

    def __init__(self, manager: _Manager, grace_seconds: float, members: Members, service: ServiceManager) -> None:
        self.requested = False
        self._service = service
        self._manager = manager
        self._grace_seconds = grace_seconds
        self._members = members
        self._later: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        if self._manager.ended.done():  # no request is in progress, and draining the journals cannot be sped up
            return
        loop = asyncio.get_running_loop()
        if not self.requested:
            self.requested = True
            self._service.stopping(self._grace_seconds)
            self._members.announce()
            self._later = loop.call_later(self._grace_seconds, self._manager.send, signal.SIGTERM)
            return
        log.warning(LogEvent("shutdown_forced", effect="requests in progress are not answered"))
        self.cancel()
        self._manager.send(signal.SIGTERM)  # gunicorn treats a SIGQUIT that comes first as an error
        self._manager.send(signal.SIGQUIT)

    def cancel(self) -> None:
        """Cancel the delayed signal: the manager has ended, or is stopped in another way."""
        if self._later is not None:
            self._later.cancel()


class _Reload:
    """Handles a signal to reload: it is passed to the manager, and the service manager is told."""

    def __init__(self, manager: _Manager, members: Members, service: ServiceManager) -> None:
        self._manager = manager
        self._members = members
        self._service = service
        self._before: frozenset[Member] = frozenset()

    def __call__(self) -> None:
        self._before = self._members.connected
        self._service.reloading()
        self._manager.send(signal.SIGHUP)

    def workers(self) -> Workers:
        """What the service manager is told."""
        connected = self._members.connected
        return Workers(len(connected), self._members.active, replaced=not connected & self._before)


class _Threads(Threads):
    """The event loop's threads. Waiting for them at shutdown could take forever, because a disk may not respond."""

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Abandon running threads."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)


async def _run(
    settings: Settings, listening: socket.socket, path: Path, manager_pid: int, service: ServiceManager
) -> int:
    loop = asyncio.get_running_loop()
    manager = _Manager(manager_pid)
    try:
        loop.set_default_executor(_Threads())
        app = make_keeper_app(settings, path.parent)
        reload = _Reload(manager, app[MEMBERS], service)
        stop = _Stop(manager, settings.grace_seconds, app[MEMBERS], service)
        for number in STOPPING:
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPPING, signal.SIGHUP))
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await _start(runner, listening, manager.ended)
    except Exception as error:
        if not isinstance(error, _OPERATOR_ERRORS):
            log.exception(LogEvent("keeper_start_failed", effect="the server stops"))
        manager.send(signal.SIGKILL)
        await manager.ended
        place = f"the journals' folder {settings.journal_folder} cannot be used: " if isinstance(error, OSError) else ""
        sys.stderr.write(f"{place}{error}\n")
        return 1
    beside = [asyncio.create_task(_stay_reachable(runner, path)), asyncio.create_task(service.follow(reload.workers))]
    try:
        _, status = await manager.ended
    finally:
        stop.cancel()
        service.stopping()  # also if the manager has failed
        beside[0].cancel()
        await runner.cleanup()
        beside[1].cancel()  # signs of life go on while the journals are drained
    code = os.waitstatus_to_exitcode(status)
    log.info(LogEvent("server_stopped"))
    # Before the manager has set its handlers, the SIGTERM that is passed on kills it.
    if code == 0 or (stop.requested and code == -signal.SIGTERM):
        return 0
    log.error(LogEvent("manager_failed", code=code))
    return 1


async def _start(runner: web.AppRunner, listening: socket.socket, ended: asyncio.Future[tuple[int, int]]) -> None:
    """Start serving. If the manager ends first, cancel the startup, because it might hang."""
    setup = asyncio.create_task(runner.setup())
    await asyncio.wait((setup, ended), return_when=asyncio.FIRST_COMPLETED)
    if setup.done():
        await setup
        await web.SockSite(runner, listening).start()
        return
    log.error(LogEvent("keeper_start_cancelled"))
    setup.cancel()
    await asyncio.wait((setup,))


async def _stay_reachable(runner: web.AppRunner, path: Path) -> None:
    """Create the socket again if it was deleted: new workers would not find the keeper."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if await asyncio.to_thread(path.is_socket):
            continue
        log.error(LogEvent("keeper_socket_deleted", path=path, effect="the keeper creates it again"))
        try:
            shared_folder.make_again(path.parent)
            await web.UnixSite(runner, path).start()
        except OSError as error:
            effect = f"new workers cannot reach the keeper; it is retried in {_LOOK_SECONDS:g} s"
            log.error(LogEvent("keeper_socket_unusable", path=path, error=error, effect=effect))
