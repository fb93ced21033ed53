"""The keeper's process: serves its socket, watches the workers' manager, and ends when that has ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from core.drain import FolderInUse
from core.store.interface import SchemaTooNew
from server.keeper.app import make_keeper_app
from server.settings import Settings

log = logging.getLogger(__name__)


def run(settings: Settings, keeper_socket: Path, manager: int) -> int:
    """Serve until the workers' manager has ended; returns the process's exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, keeper_socket, manager))


async def _run(settings: Settings, keeper_socket: Path, manager: int) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, os.kill, manager, signal.SIGTERM)
    loop.add_signal_handler(signal.SIGHUP, os.kill, manager, signal.SIGHUP)
    ended = loop.run_in_executor(None, os.waitpid, manager, 0)
    try:
        runner = web.AppRunner(make_keeper_app(settings), access_log=None, handle_signals=False)
        await runner.setup()
    except (FolderInUse, SchemaTooNew, OSError) as error:
        os.kill(manager, signal.SIGKILL)
        await ended
        unusable = (
            f"the journals' folder {settings.journal_folder} cannot be used: " if isinstance(error, OSError) else ""
        )
        sys.stderr.write(f"{unusable}{error}\n")
        return 1
    try:
        await web.UnixSite(runner, keeper_socket).start()
        _, status = await ended
    finally:
        await runner.cleanup()
    code = os.waitstatus_to_exitcode(status)
    log.info("stopped")
    if code == 0:
        return 0
    log.error("the workers' manager ended with %d", code)
    return 1
