from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests import bundles
from tests.foreign import running
from tests.market import ONNX, VERSIONS
from tests.processes import free_port, serving, starting
from tests.server.auth.certificates import write
from tests.waiting import wait_until

TOKEN = "a-token-of-the-tests-0001"  # noqa: S105 - of a server that only these tests reach


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file for the tests of the clients. The servers that it names run until the last test has ended."""
    assert running.PYTHON.exists(), "the clients are not installed: call `make .venv-foreign/.installed`"
    folder = tmp_path_factory.mktemp("foreign")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate, key = write(folder, authority, "localhost", "127.0.0.1")
    models = folder / "models"
    shutil.copytree(ONNX, models)
    bundles.write(models, running.SPARE)
    bundles.write_order(models, *VERSIONS, running.SPARE)
    secrets = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    secured_port, plain_grpc, secured_grpc = free_port(), str(free_port()), str(free_port())
    with (
        serving("--models", str(models), "--grpc-port", plain_grpc) as plain,
        starting(
            *("--models", str(ONNX), *secrets, "--grpc-port", secured_grpc),
            port=secured_port,
            REVERSAL_API_TOKEN=TOKEN,
        ) as secured,
    ):
        asked = running.asked(plain.url)
        user = running.start_experiment(plain.url)
        wait_until(lambda: "worker_ready" in secured.log)
        yield running.write(
            folder,
            asked=asked,
            user=user,
            plain={"http": plain.url.removeprefix("http://"), "grpc": f"127.0.0.1:{plain_grpc}"},
            secured={
                "http": f"localhost:{secured_port}",
                "grpc": f"localhost:{secured_grpc}",
                "authority": str(folder / "authority.pem"),
                "token": TOKEN,
            },
        )
