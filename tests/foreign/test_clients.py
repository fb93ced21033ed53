"""Clients of other projects, each with its own tests in `clients/`, against the real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.foreign import running

pytestmark = pytest.mark.serial  # starts servers

# The tests of each client that must run, at least. A client that cannot be imported runs none.
CLIENTS = {
    "tritonclient_http": 40,
    "tritonclient_http_aio": 20,
    "kserve_rest": 20,
    "open_inference_openapi": 15,
    "tritonclient_grpc": 35,
    "tritonclient_grpc_aio": 15,
    "kserve_grpc": 15,
}


@pytest.mark.parametrize(("client", "least"), CLIENTS.items(), ids=CLIENTS)
def test_its_tests_pass(client: str, least: int, given: Path, tmp_path: Path) -> None:
    ran = running.run(client, given, tmp_path / "report.xml")
    assert not ran.others, ran.shown[-10_000:]
    assert ran.passed >= least, ran.shown


def test_every_client_is_run() -> None:
    assert {path.stem for path in running.CLIENTS.glob("*.py")} - {"given"} == CLIENTS.keys()
