"""python -m server: becomes the keeper, and forks the workers' manager as soon as all libraries are imported."""

from __future__ import annotations

import gc
import logging
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

if __name__ == "__main__":
    from server.process import first_signals

    first_signals.prepare()  # before the slow imports

# Libraries read these variables when they are imported. The matrices are too small to be split between threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# ONNX Runtime's telemetry uses a thread that forked workers do not have, and they would abort at exit because of it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Imported objects are never garbage, and collecting among them takes a tenth of the startup.
gc.disable()

from core.log_event import LogEvent  # noqa: E402
from core.version import VERSION  # noqa: E402
from server.auth.credentials import Credentials, CredentialsUnusable  # noqa: E402
from server.dashboard import built  # noqa: E402
from server.grpc import extra as grpc_extra  # noqa: E402
from server.logs import output  # noqa: E402
from server.process import (  # noqa: E402 - after gc.disable
    first_signals,
    listening,
    shared_folder,
    socket_activation,
    unix_socket,
)
from server.process.backoff import Backoff  # noqa: E402
from server.process.service_manager import ServiceManager  # noqa: E402
from server.process.unix_socket import SocketFile  # noqa: E402
from server.settings import Settings, read, unknown_variables  # noqa: E402
from server.settings_parsing import SettingsError  # noqa: E402

log = logging.getLogger("server")

# The interval of the check for a signal to stop, while a failed fork is waited out.
_LOOK_SECONDS = 0.1


def run(arguments: Sequence[str], program: str) -> NoReturn:
    """Serve until stopped, then end the process. `program`: the name of the command in the usage message."""
    exit_code = main(arguments, program)
    output.end()
    # A normal exit waits for all threads, and a thread that waits for a frozen database never ends.
    os._exit(exit_code)


def main(arguments: Sequence[str], program: str) -> int:
    """Read the settings and serve until stopped; returns the exit code."""
    try:
        settings = read(arguments, os.environ, program)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    output.begin(settings.log_level, settings.log_format)
    _raise_descriptor_limit()
    models = settings.models.resolve()
    log.info(
        LogEvent(
            "server_starting", version=VERSION, process=os.getpid(), models=models, environment=settings.environment
        )
    )
    if settings.models_not_chosen:
        effect = "no folder models/onnx here: serving the reference detectors, not for trading; set REVERSAL_MODELS"
        log.warning(LogEvent("models_not_chosen", models=models, effect=effect))
    if not built.is_built():
        log.info(LogEvent("dashboard_missing", effect="/dashboard is not served", action=f"run `{built.COMMAND}`"))
    for name in unknown_variables(os.environ):
        log.warning(LogEvent("setting_unknown", name=name, effect="the variable is ignored"))
    try:
        if settings.tracing:
            from server.tracing import extra  # noqa: PLC0415 - only then

            extra.require(os.environ)
        credentials = Credentials(settings)
        inherited = socket_activation.inherited(os.environ)
        listening.require_tokens(settings, credentials, inherited)
        reserved = _reserved(settings, credentials)
        sockets = inherited or listening.open_sockets(settings)
    except (SettingsError, CredentialsUnusable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (OSError, UnicodeError) as error:  # UnicodeError: the host name cannot be looked up
        reason = getattr(error, "strerror", None) or error
        also = "" if settings.grpc_port is None else f" and {settings.grpc_port}"
        sys.stderr.write(f"cannot listen on {settings.address}{also}: {reason}\n")
        return 1
    if inherited:
        effect = f"REVERSAL_HOST and REVERSAL_PORT are not used{' for HTTP' if reserved else ''}"
        log.info(LogEvent("sockets_inherited", count=len(inherited), effect=effect))
    files = [] if inherited else listening.files(sockets)
    first_signals.block()  # so that a stop leaves no folder and no processes behind
    try:
        folder = shared_folder.make()
    except OSError as error:
        unix_socket.remove(files)
        sys.stderr.write(f"{error}\n")
        return 1
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # read when prometheus_client is imported
    try:
        return _serve(settings, credentials, folder, (sockets, reserved), files, inherited=bool(inherited))
    finally:
        _remove(folder, files)


def _reserved(settings: Settings, credentials: Credentials) -> list[socket.socket]:
    """The sockets that keep the port of gRPC, if there is to be one. Raises SettingsError, OSError or UnicodeError."""
    if settings.grpc_port is None:
        return []
    grpc_extra.require(os.environ)
    listening.require_tokens(settings, credentials)  # the port is on REVERSAL_HOST, also if the others are inherited
    return listening.reserve(settings, settings.grpc_port)


def _serve(  # noqa: PLR0913 - the last by name
    settings: Settings,
    credentials: Credentials,
    folder: Path,
    opened: tuple[list[socket.socket], list[socket.socket]],
    files: list[SocketFile],
    *,
    inherited: bool,
) -> int:
    """Fork the workers' manager, then run the keeper in this process. opened: the sockets for HTTP, and for gRPC.

    Modules that both need are imported before the fork, the other ones of each after it, in parallel.
    """
    with _without_certificates():
        from server.process import shared_imports  # noqa: F401, PLC0415 - after what main sets
        from server.protocol import metric_files  # noqa: PLC0415 - after what main sets
    metric_files.use()
    service = ServiceManager()
    sockets, reserved = opened
    path = folder / "keeper.sock"
    keeper_socket = socket.socket(socket.AF_UNIX)
    try:
        keeper_socket.bind(str(path))
    except OSError as error:
        sys.stderr.write(f"cannot create the keeper's socket {path}: {error}\n")
        return 1
    keeper_socket.listen()  # workers can connect to it before the keeper accepts
    gc.freeze()  # collecting writes to objects, so each process would get its own copy of shared memory
    parent = os.getpid()
    manager = _forked()
    if manager is None:
        return 0
    output.start()  # not earlier: a thread that writes the log would not survive the fork
    if manager == 0:
        from server.process import workers  # noqa: PLC0415 - after the fork

        gc.freeze()  # for the forks of workers
        gc.enable()
        keeper_socket.close()
        # Not SIGINT: Ctrl-C in a terminal reaches every process, and the keeper handles it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGHUP))
        manager_pid = os.getpid()
        descriptors = [each.detach() for each in sockets]
        addresses = [listening.name_of(each) for each in reserved]
        code = workers.run(
            settings, credentials, path, descriptors, inherited=inherited, grpc_addresses=addresses, parent=parent
        )
        if os.getpid() == manager_pid and os.getppid() != parent:  # the keeper was killed
            _remove(folder, files)
        output.end()
        # Neither the manager nor a worker may return to main, which removes the folder that others still use.
        os._exit(code)
    for each in sockets:
        listening.log_opened(each)
        each.close()
    for each in reserved:
        listening.log_reserved(each)
        each.close()
    from server.process import keeper_process  # noqa: PLC0415 - after the fork

    gc.enable()
    return keeper_process.run(settings, keeper_socket, path, manager, service)


def _forked() -> int | None:
    """Fork; returns 0 in the child. A fork that fails is tried again until a signal to stop comes: then None."""
    backoff = Backoff()
    while True:
        try:
            return os.fork()
        except OSError as error:
            seconds = backoff.failed()
            effect = f"no worker runs yet; it is tried again in {seconds:g} s"
            log.error(LogEvent("manager_fork_failed", error=error, effect=effect))
        while backoff.seconds_left:
            if signal.sigpending() & set(first_signals.STOPPING):
                return None
            time.sleep(_LOOK_SECONDS)


def _raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard limit. The soft one is 1024 on most machines, for old programs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # not every system allows its own hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _remove(folder: Path, files: Sequence[SocketFile]) -> None:
    """Remove what the server leaves on disk: the folder that its processes share, and its Unix socket."""
    shutil.rmtree(folder, ignore_errors=True)
    unix_socket.remove(files)


@contextmanager
def _without_certificates() -> Iterator[None]:
    """Hide the certificate authorities while aiohttp is imported, because it would read all of them.

    The server uses aiohttp's client on a Unix socket only. SSL_CERT_FILE is restored afterwards, because PostgreSQL's
    client may use it.
    """
    name = "SSL_CERT_FILE"
    given = os.environ.get(name)
    os.environ[name] = os.devnull
    try:
        yield
    finally:
        del os.environ[name]
        if given is not None:
            os.environ[name] = given


if __name__ == "__main__":
    run(sys.argv[1:], "python -m server")
