"""How much code must a reader follow? The project's functions that a prediction, a switch and a conversion call.

Keeper and worker run in this process, with real sockets between them, and a client in a separate thread. The count
includes functions and lambdas in core/, server/ and convert/, in all threads. It excludes comprehensions and generator
expressions, because they belong to the function around them, and the bodies of modules and classes. Resuming a
coroutine or a generator counts as another call of the same function. Each request is sent several times, and the one
with the fewest calls counts: this leaves out one-time initialisation, values that a cache already holds, and the
keeper's periodic steps. A conversion runs once.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from aiohttp import web

from benchmarks import bodies
from benchmarks.load import Connection, message
from benchmarks.machine import BUILD, ROOT, save

PARTS = ("core", "server", "convert")
KINDS = ("features", "120 candles")
VERSIONS = ("v3.0", "v3.1")
CONVERTED = "v3.1"
# How often each request is sent.
TIMES = 5


class Function(NamedTuple):
    """A function of the project: its file relative to the root, its line, and its qualified name."""

    file: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.name}"


class Calls:
    """The calls of the project's functions, in order."""

    def __init__(self) -> None:
        self.entered: list[Function] = []
        self._counting = False
        self._known: dict[CodeType, Function | None] = {}
        threading.setprofile(self._see)  # for threads that start after this

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the calls within this block, in this thread and in threads that started after `__init__`."""
        self.entered = []
        self._counting = True
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(None)
            self._counting = False

    def _see(self, frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG002 - the signature of sys.setprofile
        if not self._counting or event != "call":
            return
        code = frame.f_code
        try:
            function = self._known[code]
        except KeyError:
            function = self._known[code] = _function(code)
        if function is not None:
            self.entered.append(function)


def _function(code: CodeType) -> Function | None:
    """Return the function of a code object; None if it is not a function of the project."""
    path = Path(code.co_filename)
    if not path.is_relative_to(ROOT):
        return None
    file = path.relative_to(ROOT)
    is_function = code.co_flags & inspect.CO_OPTIMIZED  # not set for modules and class bodies
    is_counted = is_function and (not code.co_name.startswith("<") or code.co_name == "<lambda>")
    return Function(str(file), code.co_firstlineno, code.co_qualname) if is_counted and file.parts[0] in PARTS else None


def summary(entered: list[Function]) -> dict[str, Any]:
    """Count functions, files, calls, and changes of file between consecutive calls, in total and by part."""
    by_part = {part: [each for each in entered if each.file.startswith(f"{part}/")] for part in PARTS}
    found: dict[str, Any] = {
        "functions": len(set(entered)),
        "files": len({each.file for each in entered}),
        "changes_of_file": sum(a.file != b.file for a, b in pairwise(entered)),
        "calls": len(entered),
    }
    for part, calls in by_part.items():
        if calls:
            found[part] = {"functions": len(set(calls)), "files": len({each.file for each in calls})}
    return found


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[int]:
    """Run a keeper and a worker on the committed bundles; yields the worker's port."""
    from server.auth.credentials import Credentials  # noqa: PLC0415 - importing it calls counted functions
    from server.http.connections.runner import HttpRunner  # noqa: PLC0415
    from server.keeper.app import make_keeper_app  # noqa: PLC0415
    from server.settings import read  # noqa: PLC0415
    from server.worker.app import make_app  # noqa: PLC0415
    from server.worker.fast_path.connection import FastConnection  # noqa: PLC0415

    state = ["--state-url", f"sqlite:///{folder}/state.db", "--journals", str(folder / "journals")]
    settings = read(
        ["--models", str(ROOT / "models" / "onnx"), *state, "--audit", str(folder / "audit.jsonl")],
        {},
    )
    path = folder / "keeper.sock"
    keeper = web.AppRunner(await asyncio.to_thread(make_keeper_app, settings), access_log=None)
    await keeper.setup()
    await web.UnixSite(keeper, path).start()
    app = await asyncio.to_thread(make_app, settings, Credentials(settings), path)
    worker = HttpRunner(app, FastConnection, keepalive_timeout=settings.keepalive_seconds)
    await worker.setup()
    await web.TCPSite(worker, "127.0.0.1", 0).start()
    yield worker.addresses[0][1]
    await worker.cleanup()
    await keeper.cleanup()


async def _asked(calls: Calls, connection: Connection, request: bytes) -> list[Function]:
    """Return the calls of one request, from its first byte to its answer."""

    def exchange() -> None:
        connection.send(request, 0.0)
        while not connection.receive():
            pass
        if not connection.ok:
            raise RuntimeError(f"the request was refused: {connection.answer.decode(errors='replace')}")

    with calls.counting():
        await asyncio.to_thread(exchange)
    return calls.entered


async def served(calls: Calls) -> dict[str, list[Function]]:
    """Return the calls of a prediction of each kind, and of a switch to the other version."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="reversal-") as folder:
        async with service(Path(folder)) as port:
            connection = await asyncio.to_thread(Connection, port)
            for kind in KINDS:
                request = bodies.messages(kind)[0]
                found[kind] = min([await _asked(calls, connection, request) for _ in range(TIMES)], key=len)
            switches = [message(f"/reversal/models/{version}/switch", b"{}") for version in VERSIONS]
            times = [await _asked(calls, connection, switches[i % 2]) for i in range(2 * TIMES)]
            found["switch"] = min(times[2:], key=len)
    return found


def converted(calls: Calls) -> list[Function]:
    """Return the calls of the conversion of one committed detector, from the command's arguments to the bundle."""
    from convert import bundle, console, publish  # noqa: F401, PLC0415 - the command imports them only when it needs them
    from convert.__main__ import main  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, calls.counting():
        arguments = ["--source", str(ROOT / "models" / "keras"), "--output", folder, "--version", CONVERTED]
        if main(arguments) != 0:
            raise RuntimeError(f"the conversion of {CONVERTED} failed")
    return calls.entered


def main() -> None:
    """Count the calls, print and save the counts, and with --list print the functions in order."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--list", action="store_true", help="print the functions in order of their first call")
    options.add_argument("--no-conversion", action="store_true", help="skip the conversion, which takes half a minute")
    options.add_argument("--output", type=Path, default=BUILD / "calls.json", help="%(default)s")
    chosen = options.parse_args()
    calls = Calls()
    found = asyncio.run(served(calls))
    if not chosen.no_conversion:
        found["conversion"] = converted(calls)
    if chosen.list:
        for what, entered in found.items():
            print(f"\n{what}")
            for number, function in enumerate(dict.fromkeys(entered), 1):
                print(f"{number:4} {function}")
        print()
    save({what: summary(entered) for what, entered in found.items()}, chosen.output)


if __name__ == "__main__":
    main()
