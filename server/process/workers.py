"""The workers. gunicorn forks, watches and replaces them; each runs its own event loop on the same port."""

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
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import uvloop
from aiohttp import web
from aiohttp.worker import GunicornWebWorker
from gunicorn.app.base import BaseApplication
from prometheus_client import multiprocess

from core.log_event import LogEvent
from server.auth.credentials import Credentials
from server.http.app_keys import CERTIFICATE, REFUSALS, SETTINGS
from server.http.connections.connection import HttpConnection
from server.http.connections.runner import HttpRunner
from server.process.arbiter import Arbiter, Log
from server.process.connection_balancing import Connections, Site
from server.process.listening import is_local
from server.protocol import metric_files
from server.settings import Settings
from server.threads import Threads, ThreadsExhausted
from server.worker.app import make_app
from server.worker.app_keys import DRAINING
from server.worker.fast_path.kinds import kind_of_connection

# How long a stopping worker waits for in-flight requests. A request takes milliseconds, unless its client stalls.
SHUTDOWN_SECONDS = 10.0
# How long a stopping worker waits for one more request on an idle connection. Only the answer to it can tell the client
# that the connection closes.
LINGER_SECONDS = 1.0
# How long handlers have to end after they are cancelled at the end of SHUTDOWN_SECONDS.
_CUT_SECONDS = 0.2
_LOOK_SECONDS = 0.02
# A worker whose event loop is blocked for this long is replaced.
STALLED_SECONDS = 30
# A connection is not read while twice this size of its body waits for the handler. With aiohttp's 256 KiB, a large body
# arrives in pieces of 750 kB, and each of them blocks the event loop for a millisecond.
_READ_BYTES = 64 * 1024
# gunicorn kills a worker that needs this much longer than its shutdown time.
_MARGIN_SECONDS = 2

_PR_SET_PDEATHSIG = 1
_STOPPING = (signal.SIGTERM, signal.SIGQUIT)

log = logging.getLogger(__name__)


class WebWorker(GunicornWebWorker):
    """aiohttp's worker for gunicorn, on uvloop, with sites of its own. It stops immediately, not within a second."""

    def load_wsgi(self) -> None:
        """Hide the sockets from aiohttp, because its own sites would accept without balancing."""
        sockets = [each.sock for each in self.sockets]
        self.sockets: list[Any] = []
        self._hurry = asyncio.Event()
        self.wsgi = partial(self.app.runner, sockets, self.age, self._hurry)

    def init_signals(self) -> None:
        """Set the signal handlers. All others stay ignored, as they are in the manager.

        The base class would handle SIGINT and SIGUSR1, and removing that would leave a moment in which they kill.
        """
        self.loop.add_signal_handler(signal.SIGTERM, self.handle_exit, signal.SIGTERM, None)
        self.loop.add_signal_handler(signal.SIGQUIT, self.handle_quit, signal.SIGQUIT, None)
        self.loop.add_signal_handler(signal.SIGABRT, self.handle_abort, signal.SIGABRT, None)
        signal.siginterrupt(signal.SIGTERM, False)  # it must not break off a system call of a request
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the manager's handler would do nothing here
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def init_process(self) -> None:
        """Set uvloop up and run."""
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        try:
            super().init_process()
        except ThreadsExhausted as error:
            log.error(LogEvent("worker_threads_exhausted", error=error, effect="the worker ends"))
            sys.exit(os.EX_TEMPFAIL)  # the manager tries again, also if no worker serves

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Handle SIGTERM. A worker that does not serve yet exits: it may wait for a keeper that never starts."""
        if not self.booted:
            os._exit(0)
        super().handle_exit(sig, frame)
        self._notify_waiter_done()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGQUIT: the server was asked a second time to stop."""
        self._hurry.set()
        self.handle_exit(sig, frame)


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(  # noqa: PLR0913 - the last two by name
        self,
        settings: Settings,
        credentials: Credentials,
        keeper: Path,
        sockets: Sequence[int],
        *,
        inherited: bool,
        grpc_addresses: Sequence[str],
    ) -> None:
        self._grpc_addresses = grpc_addresses
        self._settings = settings
        self._credentials = credentials
        self._keeper = keeper
        self._sockets = sockets
        self._kind = kind_of_connection(fast_path=settings.fast_path, tracing=settings.tracing)
        self.connections = Connections(inherited=inherited)
        self._ended: set[int] = set()  # ended workers whose metrics are not merged yet
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": [f"fd://{descriptor}" for descriptor in self._sockets],
            "workers": self._settings.workers,
            "worker_class": WebWorker,
            "logger_class": Log,
            "timeout": STALLED_SECONDS,
            "graceful_timeout": int(SHUTDOWN_SECONDS) + _MARGIN_SECONDS,
            "pre_fork": lambda _, __: self._credentials.refresh(),
            "post_fork": _forked,
            # The default is the temporary folder. If that were full or deleted, no worker could be replaced.
            "worker_tmp_dir": str(self._keeper.parent.parent),
            # gunicorn's control socket is in the home folder: all instances share it, and a read-only disk breaks it.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Start the workers and watch them until the server stops."""
        Arbiter(self).run()

    def load(self) -> None:
        """Do nothing: each worker makes its application after the fork, in `runner`."""

    async def runner(self, sockets: Sequence[socket.socket], worker: int, hurry: asyncio.Event) -> web.AppRunner:
        """Make what serves in one worker. `worker`: the worker's number."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        asyncio.get_running_loop().set_default_executor(Threads())
        local = all(map(is_local, sockets))
        app = make_app(self._settings, self._credentials, self._keeper, local=local)
        tls = app[CERTIFICATE].context if CERTIFICATE in app else None
        balanced = partial(
            Site, connections=self.connections, worker=worker, tls=tls, strangers=app[REFUSALS].strangers
        )
        sites = [partial(balanced, listening=each) for each in sockets]
        ports = []
        if self._grpc_addresses:
            from server.grpc.port import GrpcPort  # noqa: PLC0415 - only then

            ports.append(GrpcPort(app, self._grpc_addresses))
        return Runner(app, self._kind, sites, hurry, ports)

    def forget(self, worker: WebWorker) -> None:
        """Clear up after a worker that has ended: its metrics, and its number of connections if it was killed."""
        self.connections.forget(worker.age)
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
        self._ended.add(worker.pid)
        try:
            if metric_files.merge(self._keeper.parent, self._ended):
                self._ended.clear()
        except Exception:  # an exception here would end the server
            effect = "they stay in separate files; the merge is repeated when the next worker ends"
            log.exception(LogEvent("worker_metrics_unmerged", effect=effect))


class Port(Protocol):
    """Another port than those of the sites, such as that of gRPC."""

    async def start(self) -> None:
        """Begin to accept connections."""

    async def stop(self, seconds: float, hurry: asyncio.Event) -> None:
        """Stop accepting, and wait for what is in progress: at most some seconds, or until `hurry` is set."""


class Runner(HttpRunner):
    """Serves an application on sockets that it shares with other workers, and on further ports.

    `kind`: the class of connections. `hurry`: when it is set, the shutdown does not wait for requests in progress.
    """

    def __init__(
        self,
        app: web.Application,
        kind: type[HttpConnection],
        make_sites: Sequence[Callable[[web.BaseRunner], Site]],
        hurry: asyncio.Event,
        ports: Sequence[Port] = (),
    ) -> None:
        super().__init__(
            app,
            kind,
            shutdown_timeout=_CUT_SECONDS,
            keepalive_timeout=float(app[SETTINGS].keepalive_seconds),
            read_bufsize=_READ_BYTES,
            handler_cancellation=True,  # no prediction for a client that has disconnected
        )
        self._hurry = hurry
        self._make_sites = make_sites
        self._ports = ports

    async def setup(self) -> None:
        """Start the application, then accept connections."""
        await super().setup()
        for port in self._ports:
            await port.start()
        for make_site in self._make_sites:
            await make_site(self).start()

    async def cleanup(self) -> None:
        """Stop accepting, finish requests in progress, and end the application."""
        self.app[DRAINING].close()
        ending = asyncio.gather(*(port.stop(SHUTDOWN_SECONDS, self._hurry) for port in self._ports))
        await asyncio.gather(*(site.stop() for site in list(self.sites)))
        await self._drained()
        await ending
        await super().cleanup()

    async def _drained(self) -> None:
        """Wait until all connections are closed, for at most SHUTDOWN_SECONDS."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self.server is not None and self.server.connections:
            in_progress = self.in_progress
            waited = loop.time() - began
            if self._hurry.is_set() or waited > SHUTDOWN_SECONDS:
                if in_progress:
                    log.error(LogEvent("requests_aborted", count=in_progress, seconds=f"{waited:.1f}"))
                return
            if not in_progress and waited > LINGER_SECONDS:
                return
            await asyncio.sleep(_LOOK_SECONDS)


# Seconds until a thread that computes, as for a scrape of metrics, lets the event loop run; Python's default is 5 ms.
_SWITCH_SECONDS = 0.0005


def _forked(arbiter: Arbiter, _: WebWorker) -> None:
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Blocked until the event loop runs: uvloop loses earlier signals, and the worker would wait for an ended keeper.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    _end_with(arbiter.pid)


def _end_with(parent: int) -> None:
    """Ask the kernel for a SIGTERM when the parent ends, because then no other process can stop this one."""
    # The default action until gunicorn sets its handlers: those inherited from the manager do nothing in a worker.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def run(  # noqa: PLR0913 - the last three by name
    settings: Settings,
    credentials: Credentials,
    keeper: Path,
    sockets: Sequence[int],
    *,
    inherited: bool,
    grpc_addresses: Sequence[str],
    parent: int,
) -> int:
    """Run the workers as children of this process until it is asked to stop, or its parent ends.

    `inherited`: whether a service manager opened the sockets.
    Returns the exit code. It returns in each child too, with the child's exit code.
    """
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process, and the keeper handles it
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until gunicorn handles it, there are no workers to replace
    try:
        if grpc_addresses:
            import_module("server.grpc.port")  # once, for all workers
        served = _Application(
            settings, credentials, keeper, sockets, inherited=inherited, grpc_addresses=grpc_addresses
        )
        served.run()
    except SystemExit as ended:  # gunicorn ends each of its processes with it
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
