"""python -m server: the keeper, which forks the workers' manager as soon as all libraries are imported."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

# Each is read when its library is imported. Our matrices are too small to split between threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# ONNX Runtime would report to its makers, from a thread that forked workers do not have and abort for at their end.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# What is imported stays: to look for garbage in it takes a tenth of the start.
gc.disable()

from core.version import VERSION  # noqa: E402
from server.auth.credentials import Credentials, CredentialsUnusable  # noqa: E402
from server.auth.hosts import is_loopback  # noqa: E402
from server.process import shared_folder  # noqa: E402 - after gc.disable
from server.settings import Settings, read, unknown_variables  # noqa: E402
from server.settings_parsing import SettingsError  # noqa: E402

log = logging.getLogger("server")

_BACKLOG = 2048
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(arguments: Sequence[str], program: str) -> NoReturn:
    """Serve until stopped, and end the process. `program`: how it was called, for the usage."""
    exit_code = main(arguments, program)
    logging.shutdown()
    sys.stderr.flush()
    # Python would wait for all threads; one that waits for a frozen database never ends.
    os._exit(exit_code)


def main(arguments: Sequence[str], program: str) -> int:
    """Read the settings and serve until stopped; returns the exit code."""
    try:
        settings = read(arguments, os.environ, program)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _log_to_stderr(settings)
    log.info(
        "reversal %s, process %d, models %s, environment %s",
        VERSION,
        os.getpid(),
        settings.models.resolve(),
        settings.environment,
    )
    if settings.models_not_chosen:
        log.warning(
            "no folder models/onnx here: serving the reference detectors that come with reversal, not for trading;"
            " REVERSAL_MODELS sets others"
        )
    for name in unknown_variables(os.environ):
        log.warning("%s is set, but there is no such setting", name)
    try:
        credentials = Credentials(settings)
        _check_door(settings, credentials)
        sockets = _listen(settings.host, settings.port)
    except (SettingsError, CredentialsUnusable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (OSError, UnicodeError) as error:  # the latter for a host name that cannot be looked up
        reason = getattr(error, "strerror", None) or error
        sys.stderr.write(f"cannot listen on {settings.host}:{settings.port}: {reason}\n")
        return 1
    folder = shared_folder.make()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # read when its library is imported
    # Until the keeper handles them: a stop must not leave the folder and the other processes behind.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        return _serve(settings, credentials, folder, sockets)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(settings: Settings, credentials: Credentials, folder: Path, sockets: list[socket.socket]) -> int:
    """Fork the workers' manager, and keep the state.

    What both need is imported before, once. The keeper's part follows the fork, while the manager forks the workers.
    """
    with _without_certificates():
        from server.process import workers  # noqa: PLC0415 - after what main sets
        from server.protocol import metric_files  # noqa: PLC0415 - after what main sets
    metric_files.use()
    path = folder / "keeper.sock"
    keeper_socket = socket.socket(socket.AF_UNIX)
    try:
        keeper_socket.bind(str(path))
    except OSError as error:
        sys.stderr.write(f"the keeper's socket {path} cannot be made: {error}\n")
        return 1
    keeper_socket.listen()  # workers that are quicker than the keeper wait for it there
    gc.freeze()  # a look at an object writes to it, and would give each process a copy of what all share
    gc.enable()
    parent = os.getpid()
    manager = os.fork()
    if manager == 0:
        keeper_socket.close()
        # Not SIGINT: a terminal's Ctrl-C comes to every process, and the keeper tells what it means.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGHUP))
        manager_pid = os.getpid()
        code = workers.run(settings, credentials, path, [listening.detach() for listening in sockets], parent)
        if os.getpid() == manager_pid and os.getppid() != parent:  # the keeper was killed, and removes nothing
            shutil.rmtree(folder, ignore_errors=True)
        # Neither it nor a worker may come back to where the folder is removed: the others still need that.
        os._exit(code)
    for listening in sockets:
        log.info("listening on %s:%d", *listening.getsockname()[:2])
        listening.close()
    from server.process import keeper_process  # noqa: PLC0415 - as the docstring says

    return keeper_process.run(settings, keeper_socket, path, manager)


@contextmanager
def _without_certificates() -> Iterator[None]:
    """While aiohttp is imported: its client reads all certificate authorities then, which delays the start.

    Ours speaks to a Unix socket. Afterwards they are found again, as PostgreSQL's client may be told to use them.
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


def _check_door(settings: Settings, credentials: Credentials) -> None:
    """Raise SettingsError where others reach a port that asks for no token."""
    addresses = {address[0] for *_, address in _addresses(settings.host, settings.port)}
    reachable = [address for address in addresses if not is_loopback(str(address))]
    if reachable and not credentials.tokens and not settings.insecure:
        raise SettingsError(
            f"{settings.host} is reachable from other machines, and there are no tokens: set REVERSAL_API_TOKEN and"
            " REVERSAL_ADMIN_TOKEN (or …_FILE), or REVERSAL_INSECURE=1 where whoever reaches the port may do everything"
        )


def _addresses(host: str, port: int) -> list[Any]:
    """What there is to listen on, as getaddrinfo gives it. Raises OSError or UnicodeError."""
    return list(dict.fromkeys(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)))


def _listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of the host, all on one port."""
    sockets: list[socket.socket] = []
    for family, _, _, _, address in _addresses(host, port):
        wanted = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(wanted)
        listening.listen(_BACKLOG)
        sockets.append(listening)
    return sockets


def _log_to_stderr(settings: Settings) -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


if __name__ == "__main__":
    run(sys.argv[1:], "python -m server")
