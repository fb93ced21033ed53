"""The keeper's process: serves its socket, watches the workers' manager, and ends when that has ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys

import uvloop
from aiohttp import web

from core.drain import FolderInUse
from core.store.interface import SchemaTooNew, StoreInUse
from server.keeper.app import make_keeper_app
from server.settings import Settings

log = logging.getLogger(__name__)

STOPPING = (signal.SIGTERM, signal.SIGINT)
# What the operator can mend, told in one line.
_OPERATORS = (FolderInUse, StoreInUse, SchemaTooNew, OSError)


def run(settings: Settings, listening: socket.socket, manager: int) -> int:
    """Serve on a listening socket until the workers' manager has ended; returns the process's exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, listening, manager))


async def _run(settings: Settings, listening: socket.socket, manager: int) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        os.kill(manager, signal.SIGTERM)

    for number in STOPPING:
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, os.kill, manager, signal.SIGHUP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    ended = loop.run_in_executor(None, os.waitpid, manager, 0)
    try:
        runner = web.AppRunner(make_keeper_app(settings), access_log=None, handle_signals=False)
        await runner.setup()
        await web.SockSite(runner, listening).start()
    except Exception as error:
        if not isinstance(error, _OPERATORS):
            log.exception("the keeper cannot start")
        os.kill(manager, signal.SIGKILL)
        await ended
        where = f"the journals' folder {settings.journal_folder} cannot be used: " if isinstance(error, OSError) else ""
        sys.stderr.write(f"{where}{error}\n")
        return 1
    try:
        _, status = await ended
    finally:
        await runner.cleanup()
    code = os.waitstatus_to_exitcode(status)
    log.info("stopped")
    # Before it has set its handlers the signal that we pass on is what ends it.
    if code == 0 or (stopping.is_set() and code == -signal.SIGTERM):
        return 0
    log.error("the workers' manager ended with %d", code)
    return 1
