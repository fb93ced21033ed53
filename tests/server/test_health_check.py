"""The health check of a container: each kind of place where a server can listen, and each way of not being ready."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from pytest_aiohttp import AiohttpServer

from server import health_check
from server.auth.tls import Certificate
from tests.market import ROOT
from tests.processes import free_port
from tests.server.auth.certificates import write


@pytest.fixture
async def runner() -> AsyncIterator[web.AppRunner]:
    """A server that is ready."""
    app = web.Application()

    async def ready(_: web.Request) -> web.Response:
        return web.Response(status=200)

    app.router.add_get("/readyz", ready)
    runner = web.AppRunner(app)
    await runner.setup()
    yield runner
    await runner.cleanup()


async def problem(**environ: str) -> str | None:
    return await asyncio.to_thread(health_check.problem, environ)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost", ""])  # noqa: S104 - asked on loopback
async def test_a_ready_server_on_a_port_has_no_problem(runner: web.AppRunner, host: str) -> None:
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    assert await problem(REVERSAL_HOST=host, REVERSAL_PORT=str(port)) is None


async def test_a_ready_server_on_a_unix_socket_has_no_problem(runner: web.AppRunner) -> None:
    # The paths of pytest's folders are too long for the name of a socket.
    with tempfile.TemporaryDirectory() as folder:
        await web.UnixSite(runner, f"{folder}/socket").start()
        assert await problem(REVERSAL_HOST=f"unix:{folder}/socket") is None
        assert await problem(REVERSAL_HOST=f"unix:{folder}/other") is not None


async def test_a_ready_server_with_a_certificate_for_another_name_has_no_problem(
    runner: web.AppRunner, tmp_path: Path
) -> None:
    certificate = await asyncio.to_thread(lambda: Certificate(*write(tmp_path, trustme.CA(), "signals.example")))
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=certificate.context).start()
    asked = {"REVERSAL_PORT": str(port), "REVERSAL_TLS_CERTIFICATE": str(tmp_path / "certificate.pem")}
    assert await problem(**asked) is None
    assert await problem(REVERSAL_PORT=str(port)) is not None


async def test_another_status_is_a_problem(aiohttp_server: AiohttpServer) -> None:
    server = await aiohttp_server(web.Application())
    assert await problem(REVERSAL_PORT=str(server.port)) == "/readyz answers 404"


def test_as_a_program_it_ends_with_1_and_the_reason_if_nothing_listens() -> None:
    command = [sys.executable, "-m", "server.health_check"]
    environ = {"REVERSAL_PORT": str(free_port())}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("no answer: ")


def test_it_imports_nothing_large() -> None:
    code = "import sys, server.health_check; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"numpy", "aiohttp", "onnxruntime", "msgspec"} & set(done.stdout.split())
