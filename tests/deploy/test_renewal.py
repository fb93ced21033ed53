"""A new certificate behind HAProxy, by the steps of docs/troubleshooting-requests.md, takes out no replica."""

from __future__ import annotations

import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import needs
from tests.deploy.pages import text_of
from tests.processes import free_port
from tests.waiting import wait_until

# Clients and load balancers that keep a session check no certificate, so it is renewed as in a new process.
CHECKS = 3


class Replica:
    """Answers 200 by TLS, with the certificate that it has loaded last."""

    def __init__(self, secrets: Path) -> None:
        self._secrets = secrets
        outer = self.load()
        outer.sni_callback = self._choose
        self.checked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(inner) -> None:  # noqa: N805 - it uses the replica too
                self.checked += 1
                inner.send_response(200)
                inner.send_header("Content-Length", "0")
                inner.end_headers()

            def log_message(inner, *_: object) -> None:  # noqa: N805
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = outer.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]

    def load(self) -> ssl.SSLContext:
        """Read the certificate again, as a server does that finds another one."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.options |= ssl.OP_NO_TICKET
        self._context.load_cert_chain(self._secrets / "certificate.pem", self._secrets / "key.pem")
        return self._context

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        connection.context = self._context


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "reversal" / "secrets"
    folder.mkdir(parents=True)
    made = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    shell(f"{made} -keyout key.pem -out certificate.pem && cat certificate.pem key.pem > haproxy.pem", folder)
    return folder


@contextmanager
def replica(secrets: Path) -> Iterator[Replica]:
    made = Replica(secrets)
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join()
        made.server.server_close()


def shell(commands: str, folder: Path) -> str:
    needs.program("openssl", "openssl")
    home = {"HOME": str(folder.parents[1]), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    call = [needs.program("bash", "bash"), "-euc", commands]
    return subprocess.run(call, cwd=folder, env=home, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_a_new_certificate_takes_out_no_replica(secrets: Path) -> None:
    program = needs.program("haproxy", "haproxy")
    make, both, again, place = re.findall(r"(?m)^\d\. `([^`]+)`", text_of("troubleshooting-requests.md"))
    again = again.replace("/usr/sbin/haproxy", program)
    with replica(secrets) as one:
        status = free_port()
        (text,) = re.findall(r"(?s)haproxy\.cfg <<END\n(.*?)END\n", text_of("deployment-upgrade.md"))
        text = text.replace("$HOME", str(secrets.parents[1])).replace("bind :8000", f"bind 127.0.0.1:{free_port()}")
        text = text.replace("8404", str(status))
        text = re.sub("localhost:800[12]", f"localhost:{one.server.server_address[1]}", text)
        configuration = secrets.parent / "haproxy.cfg"
        configuration.write_text(text)

        def up() -> int:
            shown = shell(f"curl --silent 'http://127.0.0.1:{status}/;csv' || true", secrets)
            return len(re.findall(r"(?m)^replicas,800.*,UP,", shown))

        def checked() -> None:
            before = one.checked
            wait_until(lambda: one.checked >= before + 2 * CHECKS or up() < 2)

        try:
            shell(again.partition(" -sf ")[0], secrets)
            wait_until(lambda: up() == 2)
            shell(make, secrets)
            shell(both, secrets)
            configuration.write_text(text.replace("certificate.pem", "known.pem"))
            shell(again, secrets)
            wait_until(lambda: up() == 2)
            shell(place, secrets)
            one.load()
            checked()
            assert up() == 2
        finally:
            with suppress(FileNotFoundError):
                shell("kill $(cat ~/reversal/haproxy.pid)", secrets)
