"""The workers: forked, watched and replaced by gunicorn, each an event loop of its own on the same port."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvloop
from aiohttp import web
from aiohttp.worker import GunicornWebWorker
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from prometheus_client import multiprocess

from server.auth.credentials import Credentials
from server.auth.hosts import is_loopback
from server.http.app_keys import CERTIFICATE
from server.http.connection import HttpConnection, HttpRunner
from server.process.connection_balancing import Connections, Site
from server.protocol import metric_files
from server.settings import Settings
from server.worker.app import make_app
from server.worker.app_keys import DRAINING
from server.worker.fast_path import kind_of_connection

# How long a stopping worker waits for requests in flight. They take milliseconds; clients that stall get no more.
SHUTDOWN_SECONDS = 10.0
# How long it waits for the next request of a connection on which nothing is in flight, and whose client therefore has
# not heard yet that it needs another one.
LINGER_SECONDS = 1.0
# What is cut off then: so long for it to notice.
_CUT_SECONDS = 0.2
_LOOK_SECONDS = 0.02
# A worker whose event loop has not turned for so long is replaced.
STALLED_SECONDS = 30
# While twice as much of a body waits for its handler, its connection is not read. With aiohttp's 256 KiB a large body
# comes in pieces of 750 kB, each of which is a millisecond in which nothing else happens.
_READ_BYTES = 64 * 1024
# gunicorn ends workers that need this much longer than they were given.
_MARGIN_SECONDS = 2

_PR_SET_PDEATHSIG = 1
_STOPPING = (signal.SIGTERM, signal.SIGQUIT)

log = logging.getLogger(__name__)


class WebWorker(GunicornWebWorker):
    """aiohttp's worker for gunicorn, on uvloop, with our sites, that turns to a stop at once, not within a second."""

    def load_wsgi(self) -> None:
        """Keep the sockets from aiohttp, whose own sites would take every connection that they see."""
        sockets = [each.sock for each in self.sockets]
        self.sockets: list[Any] = []
        self._hurry = asyncio.Event()
        self.wsgi = partial(self.app.runner, sockets, self.age, self._hurry)

    def init_signals(self) -> None:
        """Set what signals do. A terminal's Ctrl-C comes to every process, and the keeper tells what it means."""
        super().init_signals()
        self.loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def init_process(self) -> None:
        """Set uvloop up, and run."""
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        super().init_process()

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ANN401 - as the base class has it
        """SIGTERM. Before it serves, a worker just ends: it may be waiting for a keeper that will never come."""
        if not self.booted:
            os._exit(0)
        super().handle_exit(sig, frame)
        self._notify_waiter_done()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGQUIT: the server was told twice to stop."""
        self._hurry.set()
        self.handle_exit(sig, frame)


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's messages go where ours go."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401, ARG002 - as the base class has it
        self.error_log.handlers = []
        self.error_log.propagate = True
        # What gunicorn tells in passing (booting, listening at) is of interest to those who look for trouble.
        self.error_log.setLevel(max(logging.getLogger().level, logging.WARNING))


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's, which lets the workers know that it stops and replaces none of them, and hears of it in a reload."""

    def __init__(self, app: _Application) -> None:
        self._told: set[int] = set()
        self._reloading = False
        super().__init__(app)

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal, to be turned to later."""
        self._told.add(sig)
        super().signal(sig, frame)

    def reload(self) -> None:
        """Replace all workers, and wait until the old ones have ended."""
        self._reloading = True
        super().reload()
        self._reloading = False

    def reap_workers(self) -> None:
        """Take note of workers that have ended. It is what a reload does while it waits, which a stop does not."""
        super().reap_workers()
        if self._reloading and not self._told.isdisjoint(_STOPPING):
            self._reloading = False
            raise StopIteration  # as for a SIGTERM

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002 - as the base class has it
        """Stop all workers. A SIGQUIT that was taken together with the SIGTERM before it would be forgotten."""
        self.app.connections.end()
        super().stop(graceful and signal.SIGQUIT not in self._told)


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, credentials: Credentials, keeper: Path, sockets: Sequence[int]) -> None:
        self._settings = settings
        self._credentials = credentials
        self._keeper = keeper
        self._sockets = sockets
        self._kind = kind_of_connection(fast_path=settings.fast_path)
        self.connections = Connections()
        self._ended: set[int] = set()  # whose numbers are in files of their own
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": [f"fd://{descriptor}" for descriptor in self._sockets],
            "workers": self._settings.workers,
            "worker_class": WebWorker,
            "logger_class": _Log,
            "timeout": STALLED_SECONDS,
            "graceful_timeout": int(SHUTDOWN_SECONDS) + _MARGIN_SECONDS,
            "when_ready": lambda _: signal.signal(signal.SIGINT, signal.SIG_IGN),
            "pre_fork": lambda _, __: self._credentials.refresh(),
            "post_fork": _forked,
            "child_exit": lambda _, worker: self._forget(worker),
            # By default the temporary folder: a worker could not be replaced where that is full or gone.
            "worker_tmp_dir": str(self._keeper.parent.parent),
            # It would open a socket in the home folder, shared by all instances and failing on a read-only disk.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Start the workers, and watch them until they are told to stop."""
        _Arbiter(self).run()

    def load(self) -> None:
        """Nothing: each worker makes its application after the fork, in `runner`."""

    async def runner(self, sockets: Sequence[socket.socket], worker: int, hurry: asyncio.Event) -> web.AppRunner:
        """What serves in a worker; `worker`: its number."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        on_loopback = all(is_loopback(each.getsockname()[0]) for each in sockets)
        app = make_app(self._settings, self._credentials, self._keeper, on_loopback=on_loopback)
        tls = app[CERTIFICATE].context if CERTIFICATE in app else None
        sites = [
            partial(Site, listening=each, connections=self.connections, worker=worker, tls=tls) for each in sockets
        ]
        return Runner(app, self._kind, sites, hurry)

    def _forget(self, worker: WebWorker) -> None:
        """What a worker that has ended leaves behind: its numbers, and its connections where it was killed."""
        self.connections.forget(worker.age)
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
        self._ended.add(worker.pid)
        try:
            if metric_files.merge(self._keeper.parent, self._ended):
                self._ended.clear()
        except Exception:  # it would end the server
            log.exception("the numbers of workers that have ended cannot be merged")


class Runner(HttpRunner):
    """Serves an application on sites that it shares with other workers.

    `kind`: of its connections. `hurry`: set where nobody is to be waited for at the end.
    """

    def __init__(
        self,
        app: web.Application,
        kind: type[HttpConnection],
        make_sites: Sequence[Callable[[web.BaseRunner], Site]],
        hurry: asyncio.Event,
    ) -> None:
        super().__init__(
            app,
            kind,
            shutdown_timeout=_CUT_SECONDS,
            read_bufsize=_READ_BYTES,
            handler_cancellation=True,  # nobody predicts for a client that has gone
        )
        self._hurry = hurry
        self._make_sites = make_sites

    async def setup(self) -> None:
        """Start the application, and accept."""
        await super().setup()
        for make_site in self._make_sites:
            await make_site(self).start()

    async def cleanup(self) -> None:
        """Leave new connections to others, finish requests, and end the application."""
        self.app[DRAINING].closing = True
        await asyncio.gather(*(site.stop() for site in list(self.sites)))
        await self._drained()
        await super().cleanup()

    async def _drained(self) -> None:
        """Wait until the clients have been answered and have gone, as long as that may take."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self.server is not None and self.server.connections:
            in_hand = self.in_hand
            waited = loop.time() - began
            if self._hurry.is_set() or waited > SHUTDOWN_SECONDS:
                if in_hand:
                    log.error("%d requests are cut off, %.1f s after the worker was told to end", in_hand, waited)
                return
            if not in_hand and waited > LINGER_SECONDS:
                return
            await asyncio.sleep(_LOOK_SECONDS)


def _forked(arbiter: Arbiter, _: WebWorker) -> None:
    # Until its loop runs: uvloop forgets what comes before, and the worker would wait for a keeper that has gone.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    _end_with(arbiter.pid)


def _end_with(parent: int) -> None:
    """Ask the kernel for a SIGTERM when the parent is gone: without it nobody would end this process."""
    # Until gunicorn sets its handlers: those that a fork inherits from the manager do nothing in a worker.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def run(settings: Settings, credentials: Credentials, keeper: Path, sockets: Sequence[int], parent: int) -> int:
    """Run the workers in this process's children until it is told to stop, or its parent is gone.

    Returns the exit code; in the children too, each with its own.
    """
    _end_with(parent)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until gunicorn handles it, there is nothing to replace
    try:
        _Application(settings, credentials, keeper, sockets).run()
    except SystemExit as ended:  # gunicorn's way to end any of its processes
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
