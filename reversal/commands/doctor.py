"""`reversal doctor`: whether a server would start here, and what is missing if not."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click

from core import native
from core.bundles.repository import Repository
from core.errors import BundleRefused, StoreUnavailable
from core.inference.detector import Detector
from core.store.interface import SchemaTooNew, StateFileMounted, StoreInUse
from reversal.commands.group import OfSettings
from reversal.commands.output import as_json, print_json
from server.auth.credentials import Credentials, CredentialsUnusable
from server.process import listening
from server.settings import Settings, read, unknown_variables
from server.settings_parsing import SettingsError

# The clock of a machine that was started without one shows 1970 or the day of its firmware.
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
_ENOUGH_FILES = 4_096


class Finding(NamedTuple):
    """One line. state: `ok`, `warn` for what a server can live with, or `fail`."""

    state: str
    about: str
    text: str


@click.command(
    cls=OfSettings,
    epilog="Example: reversal doctor --json",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("settings", nargs=-1, type=click.UNPROCESSED)
@as_json
def doctor(*, settings: tuple[str, ...], as_json: bool) -> None:
    """Check what a server needs: settings, bundles, store, folders, port, clock.

    The store is opened as a server opens it, which brings its tables up to date. Nothing else is changed.

    Takes the flags of `reversal serve` as SETTINGS, and its environment variables. Exit code 1 if a server would not
    start, would not answer, or would not find its experiments.
    """
    found = list(_findings(settings))
    if as_json:
        print_json([finding._asdict() for finding in found])
    else:
        width = max(len(finding.about) for finding in found)
        for state, about, text in found:
            colour = {"ok": "green", "warn": "yellow", "fail": "red"}[state]
            click.echo(f"{click.style(state.ljust(4), fg=colour)}  {about.ljust(width)}  {text}")
    if any(finding.state == "fail" for finding in found):
        raise SystemExit(1)


def _findings(arguments: tuple[str, ...]) -> Iterator[Finding]:
    try:
        settings = read(arguments, os.environ, "reversal doctor")
    except SettingsError as error:
        yield Finding("fail", "settings", str(error))
        return
    unknown = unknown_variables(os.environ)
    yield (
        Finding("warn", "settings", f"ignored: {', '.join(unknown)}")
        if unknown
        else Finding("ok", "settings", f"{settings.workers} workers, {settings.address}")
    )
    yield from _bundles(settings)
    checks: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
        ("store", _store),
        ("journals", lambda s: _writable("journals", s.journals)),
        ("audit log", lambda s: _writable("audit log", s.audit.parent)),
        ("port", _port),
        ("temporary files", lambda _: _writable("temporary files", Path(tempfile.gettempdir()))),
        ("open files", _open_files),
        ("extension", _extension),
        ("clock", _clock),
    )
    for about, check in checks:
        try:
            yield check(settings)
        except (OSError, SettingsError, CredentialsUnusable, UnicodeError) as error:
            yield Finding("fail", about, getattr(error, "strerror", None) or str(error))


def _bundles(settings: Settings) -> Iterator[Finding]:
    repository = Repository(settings.models)
    listing = repository.listing()
    for problem in listing.problems:
        yield Finding("warn", "bundles", problem)
    loaded, timed = [], []
    for version in listing.versions:
        try:
            manifest = Detector(repository.read(version)).manifest
        except BundleRefused as error:
            yield Finding("warn", "bundles", str(error))
        else:
            loaded.append(version)
            timed += [version] if manifest.requires_timestamps else []
    if loaded:
        times = f"; {', '.join(timed)} only for candles with timestamps" if timed else ""
        yield Finding("ok", "bundles", f"{', '.join(loaded)} load, from {settings.models}{times}")
    else:
        yield Finding("fail", "bundles", f"no version of {settings.models} loads; convert one, or set REVERSAL_MODELS")


def _store(settings: Settings) -> Finding:
    from core.store import opening  # noqa: PLC0415 - drivers are imported for the URL's kind

    if settings.state_url.startswith("sqlite"):
        from core.store.drivers.sqlite import unreadable  # noqa: PLC0415 - likewise

        path = opening.sqlite_path(settings.state_url)
        if not path.exists():
            return _writable("store", path.parent)._replace(text=f"{path} does not exist yet; a server creates it")
        if reason := unreadable(path):  # opening it would rename it
            text = f"{path}: {reason}; a server would rename it and begin without experiments; restore it from a backup"
            return Finding("fail", "store", text)
    try:
        store = opening.open_store(settings.state_url)
        try:
            store.check_access()
            store.try_writing()
            state = store.state()
        finally:
            store.close()
    except (StoreUnavailable, SchemaTooNew, StoreInUse, StateFileMounted, ValueError) as error:
        return Finding("fail", "store", str(error))
    active = state.experiment.experiment_id if state.experiment else "no experiment"
    return Finding("ok", "store", f"revision {state.revision}, {active} is active")


def _writable(about: str, folder: Path) -> Finding:
    """Whether files can be made in a folder, or in the nearest one that exists."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    with tempfile.TemporaryFile(dir=there):
        pass
    free = os.statvfs(there)
    gib = free.f_bavail * free.f_frsize / (1 << 30)
    state = "warn" if gib < 1.0 else "ok"
    return Finding(state, about, f"{folder} can be written, {gib:.1f} GiB free")


def _port(settings: Settings) -> Finding:
    listening.require_tokens(settings, Credentials(settings))
    if settings.unix_socket is not None:
        if not settings.unix_socket.parent.is_dir():
            return Finding("fail", "port", f"{settings.unix_socket.parent} is no folder; create it for the socket")
        return _writable("port", settings.unix_socket.parent)
    with socket.socket() as probe:
        probe.settimeout(1.0)
        host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
        if settings.port and probe.connect_ex((host, settings.port)) == 0:
            return Finding("fail", "port", f"{settings.address} is taken: a server runs there, or another program")
    for each in listening.open_sockets(settings):
        each.close()
    return Finding("ok", "port", f"{settings.address} is free")


def _open_files(_: Settings) -> Finding:
    import resource  # noqa: PLC0415 - not on every system

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < _ENOUGH_FILES:
        return Finding("warn", "open files", f"at most {hard}, so about {hard // 2} connections; raise LimitNOFILE")
    return Finding("ok", "open files", f"up to {hard}" if hard != resource.RLIM_INFINITY else "no limit")


def _extension(_: Settings) -> Finding:
    """Whether candles are read in C. Both ways give the same answers, so neither is a fault."""
    if native.extension is None:
        text = f"not built, so answers from candles take longer; run `python {native.FOLDER / 'build.py'}`"
        return Finding("ok", "extension", text)
    return Finding("ok", "extension", "candles are read in C")


def _clock(settings: Settings) -> Finding:
    now = datetime.now(UTC)
    if now < _BUILT:
        return Finding("fail", "clock", f"shows {now:%Y-%m-%d}, which is over; set it, or start NTP")
    local = now.astimezone(settings.timezone)
    return Finding("ok", "clock", f"{now:%Y-%m-%dT%H:%M:%SZ}, {local:%H:%M %Z} in answers")
