from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web, web_app

from core.serving import trials
from server.auth.credentials import Credentials
from server.keeper.app import make_keeper_app
from server.settings import Settings, read
from server.worker.app import make_app
from tests import bundles, described, ended
from tests.application import Build, state_arguments
from tests.markers import SERIAL_FOLDERS
from tests.market import ONNX


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_testnodedown(node: object, error: object) -> None:
    """Note how a test process ended that should have gone on."""
    if error:
        ended.note(node)


@pytest.hookimpl(tryfirst=True)  # before -m selects tests by their markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark all tests in SERIAL_FOLDERS as serial. Other modules set the marker themselves."""
    folders = [config.rootpath / folder for folder in SERIAL_FOLDERS]
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in folders):
            item.add_marker("serial")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:  # noqa: ARG001
    """Give gzip data a constant id: its bytes contain the time, and a test's name must be the same in every process."""
    return "packed by gzip" if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") else None


@pytest.fixture(autouse=True, scope="session")
def patient_loads() -> Iterator[None]:
    """A server's first load ends its process after a second of CPU time, which here is the process of the tests.

    That second counts all threads of the process. What ran in it is not known, but such processes did end by SIGPROF.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trials, "START_CPU_SECONDS", 100.0)
        yield


@pytest.fixture(autouse=True)
def no_application_is_kept() -> Iterator[None]:
    """aiohttp remembers the last 1,024 applications, each with open files. Many shells allow a process only 1,024."""
    yield
    web_app._cached_build_middleware.cache_clear()  # noqa: SLF001 - nothing public forgets them


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """v1 takes one matrix, v2 one for each stage; v3 has no Stage 2. Their probability is the mean of the window."""
    bundles.write(tmp_path, "v1")
    bundles.write(tmp_path, "v2", stage2_scale=(0.0, 2.0), threshold=0.6)
    bundles.write(tmp_path, "v3", stage2_features=None)
    bundles.write_order(tmp_path, "v1", "v2", "v3")
    return tmp_path


@pytest.fixture
def settings(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    arguments = ["--models", str(models), "--timezone", "Europe/Berlin", "--environment", "test"]
    return read([*arguments, *state_arguments(tmp_path_factory.mktemp("state"))], {})


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    """Start a keeper in this process and build a worker's application that follows it."""
    async with AsyncExitStack() as started:

        async def both(settings: Settings) -> web.Application:
            runner = web.AppRunner(await asyncio.to_thread(make_keeper_app, settings))
            await runner.setup()
            # The paths of pytest's folders are too long for the name of a socket.
            folder = started.enter_context(tempfile.TemporaryDirectory(prefix="reversal-"))
            started.push_async_callback(runner.cleanup)
            socket = Path(folder) / "keeper.sock"
            await web.UnixSite(runner, socket).start()
            worker = await asyncio.to_thread(lambda: make_app(settings, Credentials(settings), socket))
            worker.on_response_prepare.append(described.preparing)
            return worker

        yield both


@pytest.fixture
async def committed(build: Build, tmp_path: Path) -> web.Application:
    """The application on the committed bundles."""
    return await build(read(["--models", str(ONNX), *state_arguments(tmp_path)], {}))
