"""The units for systemd: what systemd's own checks say of them, and how the server runs under a real systemd."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from server.settings import SETTINGS, read
from tests import bundles, needs
from tests.market import ROOT
from tests.processes import alive, children, free_port
from tests.server.auth.certificates import write
from tests.server.questions import asks
from tests.system.load import Load
from tests.systemd import UNITS, Machine, booted, install, run_documented
from tests.waiting import wait_until

pytestmark = pytest.mark.serial

SERVICE, SOCKET = "reversal.service", "reversal.socket"
DROP_INS = ["no-network.conf", "tls.conf", "tokens.conf"]
# Ten times the score of `systemd-analyze security` that must not be exceeded.
THRESHOLD = 15
TOKEN = "a-token-that-is-long-enough"  # noqa: S105
_ONE = re.compile(r"^#([A-Z_]+)=(.*)$", re.MULTILINE)


def score(folder: Path, *drop_ins: str) -> str:
    """The score of the service with drop-ins, as systemd prints it. Fails if it is above the threshold."""
    analyze = needs.program("systemd-analyze", "systemd")
    (folder / SERVICE).write_text((UNITS / SERVICE).read_text())
    for name in drop_ins:
        (folder / f"{SERVICE}.d").mkdir(exist_ok=True)
        (folder / f"{SERVICE}.d" / name).write_text((UNITS / name).read_text())
    command = (analyze, "security", "--offline=true", f"--threshold={THRESHOLD}", f"./{SERVICE}")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    return str(found)


@pytest.mark.parametrize("drop_ins", [[], ["no-network.conf"]], ids=["alone", "without a network"])
def test_the_service_is_as_safe_as_documented(drop_ins: list[str], tmp_path: Path) -> None:
    found = score(tmp_path, *drop_ins)
    version = subprocess.run(
        (needs.program("systemd-analyze", "systemd"), "--version"), capture_output=True, check=True
    )
    if version.stdout.startswith(b"systemd 252 "):  # others weigh differently
        assert f"is **{found}**" in (ROOT / "docs" / "systemd.md").read_text()


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    analyze = needs.program("systemd-analyze", "systemd")
    for unit in (SERVICE, SOCKET):
        text = (UNITS / unit).read_text()
        assert unit != SERVICE or "/opt/reversal/bin/reversal " in text
        (tmp_path / unit).write_text(text.replace("/opt/reversal/bin/reversal ", "/bin/true "))
    (tmp_path / f"{SERVICE}.d").mkdir()
    for name in DROP_INS:
        (tmp_path / f"{SERVICE}.d" / name).write_text((UNITS / name).read_text())
    command = (analyze, "verify", f"./{SERVICE}", f"./{SOCKET}")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = [line for line in (done.stdout + done.stderr).splitlines() if "reversal" in line]
    assert (done.returncode, found) == (0, [])


def test_the_examples_of_the_environment_file_are_settings_and_nothing_is_set() -> None:
    text = (UNITS / "reversal.env").read_text()
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []
    examples = _ONE.findall(text)
    assert len(examples) > 20
    assert {variable for variable, _ in examples} <= {each.variable for each in SETTINGS}
    for variable, value in examples:
        read([], {variable: value})


def test_the_drop_ins_set_settings_and_name_their_own_place() -> None:
    known = {each.variable for each in SETTINGS}
    assert sorted(path.name for path in UNITS.glob("*.conf")) == DROP_INS
    for name in DROP_INS:
        text = (UNITS / name).read_text()
        assert f"/etc/systemd/system/reversal.service.d/{name}" in text
        assert set(re.findall(r"^Environment=(\w+)=", text, re.MULTILINE)) <= known


@pytest.fixture(scope="module")
def shared() -> Iterator[Machine]:
    with booted() as machine:
        install(machine)
        models = machine.path("/var/lib/reversal/models/onnx")
        shutil.rmtree(models)
        models.mkdir()
        bundles.write(models, "v1")
        bundles.write(models, "v2")
        bundles.write_order(models, "v1", "v2")
        yield machine


class Service:
    """The service in a machine. `port`: the port to use, in the settings or in the socket unit."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def configure(self, *lines: str, **environ: str) -> None:
        """Write the environment file, and a drop-in with lines of the section Service."""
        values = {"REVERSAL_PORT": str(self.port), "REVERSAL_WORKERS": "2", "REVERSAL_GRACE_SECONDS": "0"} | environ
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        self.machine.write("/etc/reversal/reversal.env", text, 0o600)
        self.override(SERVICE, "Service", *lines)

    def override(self, unit: str, section: str, *lines: str) -> None:
        """Write a drop-in."""
        text = "\n".join([f"[{section}]", *lines, ""])
        self.machine.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.machine.systemctl("daemon-reload")

    def add(self, name: str) -> None:
        """Install one of our drop-ins."""
        self.machine.write(f"/etc/systemd/system/{SERVICE}.d/{name}", (UNITS / name).read_text())
        self.machine.systemctl("daemon-reload")

    def socket(self) -> None:
        """Let systemd listen on the port."""
        self.override(SOCKET, "Socket", "ListenStream=", f"ListenStream=127.0.0.1:{self.port}")
        self.machine.systemctl("start", SOCKET)

    def start(self) -> None:
        self.machine.systemctl("start", SERVICE)

    @property
    def state(self) -> str:
        """Such as `active/running/success`."""
        return "/".join(self.machine.value(name) for name in ("ActiveState", "SubState", "Result"))

    @property
    def workers(self) -> set[int]:
        return {worker for manager in children(self.machine.main_process()) for worker in children(manager)}

    def ask(self, call: str, body: object = None, tls: ssl.SSLContext | None = None, **headers: str) -> tuple[int, Any]:
        """The answer to a call."""
        method, path = call.split()
        given = {"Content-Type": "application/json"} | headers
        kind = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if tls is not None:
            kind = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=tls)
        with closing(kind) as connection:
            connection.request(method, path, None if body is None else orjson.dumps(body), given)
            answer = connection.getresponse()
            return answer.status, orjson.loads(answer.read())


@pytest.fixture
def service(shared: Machine) -> Iterator[Service]:
    """The service, stopped, without settings of the test before."""
    found = Service(shared)
    found.configure()
    yield found
    shared.systemctl("stop", SOCKET, SERVICE, check=False)
    shared.systemctl("reset-failed", check=False)
    for unit in (SERVICE, SOCKET):
        for drop_in in shared.path(f"/etc/systemd/system/{unit}.d").glob("*.conf"):
            drop_in.unlink()


def test_it_is_ready_when_it_answers_and_stops_in_order(service: Service) -> None:
    service.start()
    assert service.ask("POST /reversal/predict", asks(0.9))[0] == 200  # `start` returns when the server is ready
    assert service.state == "active/running/success"
    assert service.machine.value("StatusText") == "workers: 2; v1 answers"
    keeper = service.machine.main_process()
    state = service.machine.path("/var/lib/reversal/data/state.db")
    assert Path(f"/proc/{keeper}").stat().st_uid == state.stat().st_uid > 0
    began = time.monotonic()
    service.machine.systemctl("stop", SERVICE)
    assert service.state == "inactive/dead/success"
    assert time.monotonic() - began < 30  # TimeoutStopSec
    assert not alive(keeper)
    log = service.machine.log()
    assert "server_stopped" in log
    for fault in (" ERROR ", " WARNING ", "Traceback", "cpuinfo", "onnxruntime"):
        assert fault not in log, log


def test_it_can_write_only_what_is_its_own(service: Service) -> None:
    service.start()
    keeper = service.machine.main_process()
    status = Path(f"/proc/{keeper}/status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (facts["NoNewPrivs"], facts["Seccomp"], int(facts["CapBnd"], 16)) == ("1", "2", 0)
    mounted = Path(f"/proc/{keeper}/root")
    user = ("setpriv", f"--reuid={mounted.parent.stat().st_uid}", "--clear-groups")

    def may_write(folder: str) -> bool:
        script = f"touch {folder}/test-of-writing && rm {folder}/test-of-writing"
        entered = ("nsenter", f"--target={keeper}", "--mount", "--root", *user, "sh", "-c", script)
        return subprocess.run(entered, capture_output=True, check=False).returncode == 0

    assert [may_write(own) for own in ("/var/lib/reversal", "/run/reversal", "/tmp", "/dev/shm")] == [True] * 4  # noqa: S108
    for other in ("/etc", "/opt/reversal", "/var/lib/reversal/models", "/var/lib/reversal/models/onnx", "/usr", "/var"):
        assert not may_write(other), other
    assert list((mounted / "root").iterdir()) == list((mounted / "home").iterdir()) == []


def test_it_needs_no_system_call_that_is_refused(service: Service) -> None:
    service.configure("SystemCallErrorNumber=kill", REVERSAL_ACCESS_LOG="1")
    service.start()
    before = service.workers
    for call, body in (("POST /reversal/predict", asks(0.9)), ("POST /reversal/models/v2/load", None)):
        assert service.ask(call, body)[0] == 200
    service.machine.systemctl("reload", SERVICE)
    wait_until(lambda: not before & service.workers and service.state == "active/running/success")
    service.machine.systemctl("stop", SERVICE)
    assert service.state == "inactive/dead/success"
    assert "SIGSYS" not in service.machine.log()


def test_a_reload_replaces_the_workers_and_loses_nothing(service: Service) -> None:
    service.start()
    before = service.workers
    load = Load(service.url)
    with load.running():
        load.wait_for(50)
        service.machine.systemctl("reload", SERVICE)
        wait_until(lambda: not before & service.workers and service.state == "active/running/success")
        load.wait_for(50)
    assert not load.refused
    assert not load.lost
    assert service.machine.value("NRestarts") == "0"


def test_a_keeper_that_stands_still_is_replaced(service: Service) -> None:
    service.configure("WatchdogSec=2")
    service.start()
    keeper = service.machine.main_process()
    os.kill(keeper, signal.SIGSTOP)
    wait_until(lambda: not alive(keeper) and service.state.startswith("active/running"))
    assert service.machine.value("NRestarts") == "1"
    assert service.ask("POST /reversal/predict", asks(0.9))[0] == 200


def test_a_killed_keeper_is_replaced_and_leaves_nothing(service: Service) -> None:
    service.start()
    keeper, workers = service.machine.main_process(), service.workers
    shared = service.machine.path("/dev/shm")  # noqa: S108 - of the machine
    (folder,) = shared.glob("reversal-server-*")
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: service.machine.value("NRestarts") == "1" and service.state == "active/running/success")
    assert not any(map(alive, workers))
    (other,) = shared.glob("reversal-server-*")
    assert other.name != folder.name


def test_a_wrong_setting_is_not_tried_again(service: Service) -> None:
    service.configure(REVERSAL_PORT="none")
    service.machine.systemctl("start", SERVICE, check=False)
    assert service.state == "failed/failed/exit-code"
    assert (service.machine.value("NRestarts"), service.machine.value("ExecMainStatus")) == ("0", "2")
    assert "REVERSAL_PORT: " in service.machine.log()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("ExecStart=/opt/reversal/absent", "203"),
        ("User=reversal-absent", "217"),
        ("LoadCredential=api-tokens:/etc/reversal/absent", "243"),
    ],
)
def test_a_status_of_systemd_has_the_documented_cause(service: Service, line: str, status: str) -> None:
    service.configure("Restart=no", f"{line.partition('=')[0]}=", line)
    service.machine.systemctl("start", SERVICE, check=False)
    assert service.machine.value("ExecMainStatus") == status
    assert f"`status={status}/" in (ROOT / "docs" / "systemd.md").read_text()


def test_a_start_that_fails_is_tried_five_times(service: Service) -> None:
    service.configure("RestartSec=0")
    with socket.create_server(("127.0.0.1", service.port)):
        service.machine.systemctl("start", SERVICE, check=False)
        wait_until(lambda: service.state.startswith("failed/failed"), seconds=60)
    assert service.machine.value("NRestarts") == "5"


def test_a_grace_period_that_is_longer_than_the_time_to_stop_is_not_cut_off(service: Service) -> None:
    service.configure("TimeoutStopSec=1", REVERSAL_GRACE_SECONDS="3")
    service.start()
    service.machine.systemctl("stop", "--no-block", SERVICE)
    wait_until(lambda: service.ask("GET /readyz")[0] == 503)
    assert service.ask("POST /reversal/predict", asks(0.9))[0] == 200  # the workers have not been told to stop
    wait_until(lambda: service.state == "inactive/dead/success")


def test_a_connection_starts_it_and_a_restart_refuses_none(service: Service) -> None:
    service.socket()
    assert service.state == "inactive/dead/success"
    assert service.ask("POST /reversal/predict", asks(0.9))[0] == 200
    wait_until(lambda: service.state == "active/running/success")
    keeper = service.machine.main_process()
    load = Load(service.url, per_connection=1)
    with load.running():
        load.wait_for(50)
        service.machine.systemctl("restart", SERVICE)
        load.wait_for(50)
    assert not alive(keeper)
    assert not load.refused
    assert not load.lost
    assert "sockets_inherited count=1" in service.machine.log()


def test_several_sockets_of_both_kinds(service: Service) -> None:
    service.socket()
    service.override(
        SOCKET, "Socket", "ListenStream=", f"ListenStream=127.0.0.1:{service.port}", "ListenStream=/run/reversal.sock"
    )
    service.machine.systemctl("stop", SOCKET)
    run_documented(service.machine, "Socket activation")
    wait_until(lambda: service.state == "active/running/success")
    assert "sockets_inherited count=2" in service.machine.log()
    path = service.machine.path("/run/reversal.sock")
    assert oct(path.stat().st_mode & 0o777) == "0o660"
    assert path.stat().st_gid == service.machine.path("/var/lib/reversal").stat().st_gid
    assert service.ask("GET /reversal/models")[0] == 200
    with closing(http.client.HTTPConnection("localhost", timeout=30)) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("GET", "/reversal/models")
        assert connection.getresponse().status == 200
    service.machine.systemctl("disable", "--now", SOCKET, SERVICE)
    assert not path.exists()


def test_a_socket_of_the_wrong_kind_is_named(service: Service) -> None:
    service.override(SOCKET, "Socket", "ListenStream=", f"ListenDatagram=127.0.0.1:{service.port}")
    service.machine.systemctl("start", SOCKET)
    service.machine.systemctl("start", SERVICE, check=False)
    assert service.state == "failed/failed/exit-code"
    expected = "LISTEN_FDS: descriptor 3 (reversal.socket) is not a stream socket; use ListenStream="
    assert expected in service.machine.log()


def test_tokens_and_certificates_of_root_reach_the_server(service: Service, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate, key = write(tmp_path, authority, "127.0.0.1")
    service.machine.write("/etc/reversal/tls-certificate.pem", certificate.read_text(), 0o600)
    service.machine.write("/etc/reversal/tls-key.pem", key.read_text(), 0o600)
    service.add("tls.conf")
    needs.program("openssl", "openssl")
    run_documented(service.machine, "Tokens and TLS")
    files = [service.machine.path(f"/etc/reversal/{level}-tokens") for level in ("api", "admin")]
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600", "0o600"]
    api, admin = ({"Authorization": f"Bearer {file.read_text().strip().partition(':')[2]}"} for file in files)
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    assert service.ask("GET /reversal/models", tls=tls)[0] == 401
    assert service.ask("GET /reversal/models", tls=tls, **api)[0] == 200
    switch = "POST /reversal/models/v1/switch"
    assert service.ask(switch, tls=tls, **api)[0] == 403
    assert service.ask(switch, tls=tls, **admin)[0] == 200
    with suppress(ConnectionError, http.client.HTTPException):
        assert service.ask("GET /livez")[0] == 400
    # A new token needs a restart, because systemd has copied the file.
    service.machine.write("/etc/reversal/api-tokens", f"backend:{TOKEN}\n", 0o600)
    service.machine.systemctl("restart", SERVICE)
    assert service.ask("GET /reversal/models", tls=tls, **api)[0] == 401
    assert service.ask("GET /reversal/models", tls=tls, Authorization=f"Bearer {TOKEN}")[0] == 200


def test_without_a_network_it_serves_the_sockets_of_systemd(service: Service) -> None:
    service.add("no-network.conf")
    service.override(SOCKET, "Socket", "ListenStream=", f"ListenStream=127.0.0.1:{service.port}")
    service.start()  # and with it the socket
    assert service.ask("POST /reversal/predict", asks(0.9))[0] == 200
    keeper = Path(f"/proc/{service.machine.main_process()}")
    assert (keeper / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    assert [line.split(":")[0].strip() for line in (keeper / "net/dev").read_text().splitlines()[2:]] == ["lo"]


def test_a_shell_reads_the_examples_of_settings_as_systemd_does(tmp_path: Path) -> None:
    lines = [line[1:] for line in (UNITS / "reversal.env").read_text().splitlines() if re.match("#[A-Z_]+=", line)]
    file = tmp_path / "reversal.env"
    file.write_text("\n".join(lines))
    call = [needs.program("sh", "dash"), "-euc", f"set -a; . {file}; env -0"]
    shown = subprocess.run(call, env={"PATH": "/usr/bin:/bin"}, check=True, capture_output=True, text=True)
    read = dict(each.split("=", 1) for each in shown.stdout.split("\0") if each)
    # systemd takes a value as it is, without the quotes around it.
    expected = {name: value.strip('"') for name, value in (line.split("=", 1) for line in lines)}
    assert {name: read[name] for name in expected} == expected
    assert not shown.stderr


def test_the_page_installs_the_packages_that_were_tested() -> None:
    installed = re.findall(r"(?m)^\S+/pip install (.*)$", (ROOT / "docs" / "systemd.md").read_text())
    assert len(installed) == 4
    assert all(each.startswith("--no-deps ") for each in installed)
    assert [each.split()[1:4] for each in installed[::2]] == [["--require-hashes", "-r", "requirements/serve.txt"]] * 2
