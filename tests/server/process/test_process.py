"""The real process: `python -m server` on a real socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from server import cpus
from tests import bundles, market
from tests.application import state_arguments
from tests.market import ROOT
from tests.processes import Server, cpu_seconds, free_port, get, post, serving
from tests.server.auth.certificates import write
from tests.sockets import is_gone, is_read
from tests.system.checks import metric
from tests.waiting import wait_until

# More than the documented 100 MB, because the figure depends on the allocator and the libraries.
MOST_MEMORY_MIB = 130
EXAMPLE = ROOT / "docs" / "examples" / "predict.json"


def test_it_serves_the_committed_bundles_and_exits_with_0_on_sigterm() -> None:
    with serving("--environment", "test") as server:
        assert get(f"{server.url}/readyz") == (200, {"status": "ready"})
        body = EXAMPLE.read_bytes()
        status, answer = post(f"{server.url}/reversal/predict", body)
        assert status == 200
        assert answer["data"]["model_version"] == market.DEFAULT
        assert answer["data"]["signal"] in ("hold", "long", "short")
        log = server.stop()
        assert server.process.returncode == 0
        assert log.endswith("INFO server.process.keeper_process: server_stopped\n")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_after_some_load_stays_near_the_documented_figure() -> None:
    with serving() as server:
        url = server.url
        body = json.dumps(market.body(4000, 120)).encode()
        for _ in range(300):
            post(f"{url}/reversal/predict", body)
        items = json.dumps({"items": [market.body(i, 120) for i in range(200)]}).encode()
        post(f"{url}/reversal/predict/batch", items)
        (worker,) = server.workers
        status = Path(f"/proc/{worker}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        assert resident / 1024 < MOST_MEMORY_MIB


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are read from /proc")
def test_an_idle_worker_has_no_session_threads_and_uses_no_cpu_time() -> None:
    with serving() as server:
        body = json.dumps(market.body(4000, 120)).encode()
        for version in reversed(market.VERSIONS):
            assert post(f"{server.url}/reversal/models/{version}/switch")[0] == 200
            assert post(f"{server.url}/reversal/predict", body)[0] == 200
        (worker,) = server.workers
        # The event loop's thread, the one that loaded the versions, and the one that writes the log. A session runs in
        # its caller's thread.
        assert len(list(Path(f"/proc/{worker}/task").iterdir())) <= 3
        before = cpu_seconds(worker)
        time.sleep(1.0)
        assert cpu_seconds(worker) - before < 0.5  # a single spinning thread would use the whole second


def test_by_default_there_are_as_many_workers_as_cpus() -> None:
    with serving(REVERSAL_WORKERS="") as server:
        wait_until(lambda: len(server.workers) == min(cpus.available(), 64))


def test_one_line_names_a_bad_setting_and_the_server_does_not_start() -> None:
    environ = os.environ | {"REVERSAL_PORT": "http"}
    run = subprocess.run(
        [sys.executable, "-m", "server"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 2
    assert run.stderr.startswith("REVERSAL_PORT: 'http' ")
    assert run.stderr.endswith("; example: REVERSAL_PORT=8000\n")
    assert run.stderr.count("\n") == 1


def test_one_line_names_a_host_that_cannot_be_resolved() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "server", "--host", "a..b", "--log-level", "critical"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.startswith("cannot listen on a..b:8000: ")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - it is refused
def test_without_tokens_it_refuses_to_listen_beyond_loopback(host: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "server", "--host", host, "--log-level", "critical"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.startswith(f"REVERSAL_HOST: '{host}' ")
    for name in ("REVERSAL_API_TOKEN", "REVERSAL_ADMIN_TOKEN", "REVERSAL_INSECURE=1"):
        assert name in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("flags", [("--insecure", "1"), ("--admin-token", "root")])
def test_with_tokens_or_insecure_it_listens_on_every_address(flags: tuple[str, str]) -> None:
    with serving("--host", "0.0.0.0", *flags) as server:  # noqa: S104 - for a moment
        assert get(f"{server.url}/readyz")[0] == 200


NAMED = [
    ((), {}, 403),
    (("--insecure", "1"), {}, 403),
    ((), {"REVERSAL_ALLOWED_HOSTS": "box.example, Desk.Example"}, 200),
    (("--admin-token", "root"), {}, 200),
    (("--host", "0.0.0.0", "--insecure", "1"), {}, 200),  # noqa: S104 - for a moment
]


@pytest.mark.parametrize(
    ("flags", "environ", "status"), NAMED, ids=["loopback", "insecure", "allowed", "tokens", "reachable"]
)
def test_a_foreign_host_header_is_refused_on_loopback_without_tokens(
    flags: tuple[str, ...], environ: dict[str, str], status: int
) -> None:
    with serving(*flags, state=None, port=None, **environ) as server:
        port = int(server.url.rpartition(":")[2])
        for host, expected in ((f"desk.example:{port}", status), (f"localhost:{port}", 200), ("[::1]", 200)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/livez", headers={"Host": host})
            assert connection.getresponse().status == expected
            connection.close()
        if status == 403:
            assert (
                'endpoint="GET /livez" code=FORBIDDEN path= count=1 error="the Host header does not name this server'
                in server.stop()
            )


@pytest.mark.parametrize("command", [("server",), ("migration", "docs")], ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("postgresql://user:pass@word@host/db", "REVERSAL_STATE_URL: more than one @; "),
        ("postgresql://user:pass/word@host/db", "REVERSAL_STATE_URL: a / or ? before the @; "),
        ("mysql://user:pass@word/db", "REVERSAL_STATE_URL: 'mysql' "),
    ],
)
def test_one_line_names_a_bad_state_url_without_its_password(command: tuple[str, ...], url: str, line: str) -> None:
    environ = os.environ | {"REVERSAL_STATE_URL": url, "LOG_LEVEL": "debug"}
    run = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.startswith(line)
    assert run.stderr.count("\n") == 1
    assert not [word for word in ("pass@", "pass/", "word@", "word/") if word in run.stderr + run.stdout]


def test_an_unavailable_database_is_logged_without_its_password() -> None:
    port = free_port()
    environ = {
        "REVERSAL_STATE_URL": f"postgresql://user:s3cret%40word@127.0.0.1:{port}/database",
        "LOG_LEVEL": "debug",
    }
    with serving(state=None, port=None, **environ) as server:
        wait_until(lambda: "store_unavailable_at_startup" in server.log)
        status, answer = post(f"{server.url}/reversal/models/v3.0/switch")
        assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE")
        log = server.stop() + json.dumps(answer)
    assert f"the PostgreSQL database 127.0.0.1:{port}/database: " in log
    assert not [word for word in ("s3cret", "@word", "%40word") if word in log]


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"REVERSAL_ADMIN_TOKEN": "ops:"}, "REVERSAL_ADMIN_TOKEN: the admin token of 'ops' is empty"),
        ({"REVERSAL_ADMIN_TOKEN": " , "}, "REVERSAL_ADMIN_TOKEN: it holds no token"),
        ({"REVERSAL_API_TOKEN_FILE": os.devnull}, "REVERSAL_API_TOKEN_FILE: '/dev/null' is not valid, expected a file"),
        (
            {"REVERSAL_TLS_KEY": "LICENSE"},
            "REVERSAL_TLS_CERTIFICATE and REVERSAL_TLS_KEY are set together or not at all",
        ),
        (
            {"REVERSAL_TLS_KEY": "LICENSE", "REVERSAL_TLS_CERTIFICATE": "LICENSE"},
            "the certificate LICENSE cannot be used:",
        ),
    ],
)
def test_one_line_names_unusable_secrets(environ: dict[str, str], line: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "server", "--log-level", "critical"],
        cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.startswith(line)
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("held", [b"", b"# none\r\n", b"\xff\xfet\x00"], ids=["empty", "comments", "UTF-16"])
def test_a_token_file_without_tokens_is_refused(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(held)
    run = subprocess.run(
        [sys.executable, "-m", "server", "--admin-token-file", str(file)],
        cwd=ROOT, env=os.environ | {"REVERSAL_API_TOKEN": "good"}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.startswith(f"--admin-token-file: the file '{file}' ")
    assert run.stderr.count("\n") == 1


def test_it_predicts_over_tls_and_uses_a_renewed_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    files = [str(file) for file in write(tmp_path, authority, "localhost")]
    port = free_port()
    environ = {"REVERSAL_TLS_CERTIFICATE": files[0], "REVERSAL_TLS_KEY": files[1], "REVERSAL_GRACE_SECONDS": "0"}
    arguments = ["--port", str(port), "--workers", "1", *state_arguments(tmp_path)]
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def names() -> list[str]:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            found = client.getpeercert()
        assert found is not None
        return [str(name[1]) for name in found["subjectAltName"]]

    def ready() -> bool:
        with suppress(OSError):
            return names() == ["localhost"]
        return False

    command = [sys.executable, "-m", "server", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | environ, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(ready)
            kept = http.client.HTTPSConnection("localhost", port, context=context)
            for _ in range(3):
                kept.request("POST", "/reversal/predict", EXAMPLE.read_bytes())
                assert json.loads(kept.getresponse().read())["success"]
            kept.close()
            write(tmp_path, authority, "localhost", "new.example")
            wait_until(lambda: "new.example" in names())
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_a_client_that_disconnects_is_not_logged_as_an_error() -> None:
    with serving() as server:
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as client:
            client.sendall(b"POST /reversal/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
            wait_until(lambda: is_read(client))
            own = client.getsockname()[1]
        wait_until(lambda: is_gone(int(server.url.rpartition(":")[2]), own))
        assert get(f"{server.url}/livez")[0] == 200
        log = server.stop()
    assert "Traceback" not in log


def test_one_line_names_a_port_that_is_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = subprocess.run(
            [sys.executable, "-m", "server", "--port", str(port), "--log-level", "critical"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert run.stderr.count("\n") == 1


def not_loaded(server: Server, version: str) -> float:
    """The workers in which the version could not be loaded; -1 until the first of them has told it."""
    with suppress(ValueError):
        return metric(server, f'reversal_version_not_loaded{{version="{version}"}}')
    return -1.0


def test_a_corrupted_default_is_named_and_the_next_version_serves_until_it_is_restored(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        bundles.write(tmp_path, version)
    bundles.write_order(tmp_path, "v2", "v1")
    (file,) = (tmp_path / "v2").glob("stage1-network-*")
    whole = file.read_bytes()
    bundles.flip_byte(file)
    with serving("--models", str(tmp_path)) as server:
        assert get(f"{server.url}/health")[1]["model_version"] == "v1"
        shown = get(f"{server.url}/reversal/models")[1]["data"]["versions"]["v2"]
        assert shown["error"].startswith(f"bundle v2: {file.name}: SHA-256")
        assert f'version_skipped version=v2 error="bundle v2: {file.name}: SHA-256' in server.log
        wait_until(lambda: not_loaded(server, "v2") >= 1)
        file.write_bytes(whole)
        for change in ("load", "switch"):
            assert post(f"{server.url}/reversal/models/v2/{change}")[0] == 200
        assert get(f"{server.url}/health")[1]["model_version"] == "v2"
        wait_until(lambda: not_loaded(server, "v2") == 0)


def test_a_misspelt_variable_is_logged() -> None:
    with serving(REVERSAL_PROT="1") as server:
        log = server.stop()
    assert "setting_unknown name=REVERSAL_PROT " in log
