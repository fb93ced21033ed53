"""The keeper's process: serves its socket, watches the workers' manager, and ends when that has ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import uvloop
from aiohttp import web

from core.journals.drainer import FolderInUse
from core.store.interface import SchemaTooNew, StoreInUse
from server.keeper.app import make_keeper_app
from server.keeper.app_keys import MEMBERS
from server.keeper.audit import AuditUnusable
from server.keeper.members import Members
from server.process import shared_folder
from server.settings import Settings

log = logging.getLogger(__name__)

# How often it is looked whether workers can still reach the keeper.
_LOOK_SECONDS = 1.0
STOPPING = (signal.SIGTERM, signal.SIGINT)
# What the operator can mend, told in one line.
_OPERATORS = (AuditUnusable, FolderInUse, StoreInUse, SchemaTooNew, OSError)


def run(settings: Settings, listening: socket.socket, path: Path, manager: int) -> int:
    """Serve on a listening socket until the workers' manager has ended; returns the exit code. `path`: the socket's."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, listening, path, manager))


class _Manager:
    """The workers' manager. When it has `ended` its number may be somebody else's, and a signal goes to nobody."""

    def __init__(self, pid: int) -> None:
        self.ended = asyncio.get_running_loop().run_in_executor(None, os.waitpid, pid, 0)
        self._pid = pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if not self.ended.done():
            with suppress(ProcessLookupError):  # at this very moment
                os.kill(self._pid, number)


class _Stop:
    """What a signal to stop does: the workers' manager hears of it after the grace period, or at once of a second."""

    def __init__(self, manager: _Manager, grace_seconds: float, members: Members) -> None:
        self.told = False
        self._manager = manager
        self._grace_seconds = grace_seconds
        self._members = members
        self._later: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        if self._manager.ended.done():  # nobody waits for an answer, and the journals are drained as fast as it goes
            return
        loop = asyncio.get_running_loop()
        if not self.told:
            self.told = True
            self._members.announce()
            self._later = loop.call_later(self._grace_seconds, self._manager.send, signal.SIGTERM)
            return
        log.warning("told to stop once more: whoever is not answered yet will not be")
        self.cancel()
        self._manager.send(signal.SIGTERM)  # without which gunicorn takes the other for a mistake
        self._manager.send(signal.SIGQUIT)

    def cancel(self) -> None:
        """The manager has ended, or hears of it already."""
        if self._later is not None:
            self._later.cancel()


class _Threads(ThreadPoolExecutor):
    """The loop's. At its end it would wait for all of them, and one that waits for a disk may never end."""

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Leave them behind."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)


async def _run(settings: Settings, listening: socket.socket, path: Path, manager_pid: int) -> int:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Threads())
    manager = _Manager(manager_pid)
    try:
        app = make_keeper_app(settings)
        stop = _Stop(manager, settings.grace_seconds, app[MEMBERS])
        for number in STOPPING:
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, manager.send, signal.SIGHUP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPPING, signal.SIGHUP))
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await _start(runner, listening, manager.ended)
    except Exception as error:
        if not isinstance(error, _OPERATORS):
            log.exception("the keeper cannot start")
        manager.send(signal.SIGKILL)
        await manager.ended
        where = f"the journals' folder {settings.journal_folder} cannot be used: " if isinstance(error, OSError) else ""
        sys.stderr.write(f"{where}{error}\n")
        return 1
    reachable = asyncio.create_task(_stay_reachable(runner, path))
    try:
        _, status = await manager.ended
    finally:
        stop.cancel()
        reachable.cancel()
        await runner.cleanup()
    code = os.waitstatus_to_exitcode(status)
    log.info("stopped")
    # Before it has set its handlers the signal that we pass on is what ends it.
    if code == 0 or (stop.told and code == -signal.SIGTERM):
        return 0
    log.error("the workers' manager ended with %d", code)
    return 1


async def _start(runner: web.AppRunner, listening: socket.socket, ended: asyncio.Future[tuple[int, int]]) -> None:
    """Serve, unless the workers' manager ends before: a start that hangs would not hear of a stop."""
    setup = asyncio.create_task(runner.setup())
    await asyncio.wait((setup, ended), return_when=asyncio.FIRST_COMPLETED)
    if setup.done():
        await setup
        await web.SockSite(runner, listening).start()
        return
    log.error("the keeper had not started yet")
    setup.cancel()
    await asyncio.wait((setup,))


async def _stay_reachable(runner: web.AppRunner, path: Path) -> None:
    """Make the socket again where somebody has deleted it: no worker that starts would find the keeper."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if await asyncio.to_thread(path.is_socket):
            continue
        log.error("%s was deleted by somebody: it is made again", path)
        try:
            shared_folder.make_again(path.parent)
            await web.UnixSite(runner, path).start()
        except OSError as error:
            log.error("%s cannot be made again: %s", path, error)
