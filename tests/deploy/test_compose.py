"""The compose file: valid, its settings and files exist, and its balancer loses no request when a replica stops."""

from __future__ import annotations

import http.client
import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from server.auth.access import Level
from server.http.errors import STATUS
from server.settings import read, unknown_variables
from tests import needs
from tests.market import ROOT
from tests.processes import free_port, get, serving
from tests.prometheus import promtool
from tests.system.load import Load
from tests.waiting import wait_until

FOLDER = ROOT / "deploy" / "compose"
SECRETS = "/run/secrets"
HAPROXY = (FOLDER / "haproxy.cfg").read_text()
# That of compose, and that of several hosts (docs/several-machines.md).
CONFIGURATIONS = sorted((ROOT / "deploy").glob("*/haproxy.cfg"))


def decoded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.yaml.decode(path.read_bytes())
    return found


COMPOSE = decoded(FOLDER / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REPLICAS = [name for name in SERVICES if name.startswith("replica-")]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    subprocess.run([FOLDER / "make-secrets", folder], check=True)
    return folder


def mounts(service: str) -> dict[str, Path]:
    """The files and folders of the project that a service mounts, by their paths in the container."""
    found = {}
    for volume in SERVICES[service].get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("."):
            assert mode == ["ro"]
            found[target] = (FOLDER / source).resolve()
    return found


def test_it_is_valid_by_the_published_schema() -> None:
    schema = json.loads((ROOT / "tests" / "deploy" / "schemas" / "compose" / "compose-spec.json").read_text())
    validator = jsonschema_rs.validator_for(schema)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []
    assert not validator.is_valid(COMPOSE | {"services": {"one": {"image": "one", "port": ["80:80"]}}})


def test_every_file_that_is_mounted_exists() -> None:
    found = {path for service in SERVICES for path in mounts(service).values()}
    assert len(found) == 7
    assert [path for path in found if not path.exists()] == []


def test_each_replica_has_a_volume_of_its_own() -> None:
    assert len(REPLICAS) == 2
    states = [volume for name in REPLICAS for volume in SERVICES[name]["volumes"] if "/var/lib/reversal" in volume]
    assert len(set(states)) == len(REPLICAS)


def test_volumes_networks_and_secrets_are_declared_and_used() -> None:
    for kind in ("secrets", "networks"):
        assert {name for service in SERVICES.values() for name in service.get(kind, ())} == set(COMPOSE[kind])
    named = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert {name for name in named if re.fullmatch(r"[a-z0-9-]+", name)} == set(COMPOSE["volumes"])


def test_every_service_has_a_health_check_limits_and_the_order_in_which_it_starts() -> None:
    for name, service in SERVICES.items():
        assert service["healthcheck"]["test"], name
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    waits = {name: set(service.get("depends_on", ())) for name, service in SERVICES.items()}
    assert waits["balancer"] == set(REPLICAS)
    assert all(waits[name] == {"database"} for name in REPLICAS)


def test_the_server_starts_with_the_settings_and_secrets_of_a_replica(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in REPLICAS:
        given = {key: value.replace(SECRETS, str(secrets)) for key, value in SERVICES[name]["environment"].items()}
        assert {Path(value).name for value in given.values() if str(secrets) in value} == set(SERVICES[name]["secrets"])
        monkeypatch.setenv("PGSERVICEFILE", given.pop("PGSERVICEFILE"))
        assert unknown_variables(given) == []
        settings = read([], given)
        tokens = {token.name: token.level for token in settings.tokens}
        assert tokens == {"backend": Level.API, "prometheus": Level.API, "operator": Level.ADMIN}
        assert settings.trusted_proxies
        # Docker sends SIGKILL after that; requests in progress have 10 s, and the journals are drained then.
        assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) > settings.grace_seconds + 10 + 5
        inter, fall = re.findall(r"check inter (\d+)s fall (\d+)", HAPROXY)[0]
        assert settings.grace_seconds > int(inter) * int(fall)


def test_the_proxy_that_replicas_trust_is_the_balancer() -> None:
    address = SERVICES["balancer"]["networks"]["inside"]["ipv4_address"]
    assert {SERVICES[name]["environment"]["REVERSAL_TRUSTED_PROXIES"] for name in REPLICAS} == {address}


def test_secrets_are_made_once_and_only_this_user_reaches_them(secrets: Path) -> None:
    assert {f"./secrets/{path.name}" for path in secrets.iterdir()} == {
        each["file"] for each in COMPOSE["secrets"].values()
    }
    before = {path: path.read_bytes() for path in secrets.iterdir()}
    assert all(len(text) >= 32 for text in before.values())
    assert before[secrets / "metrics-token"] in before[secrets / "api-tokens"]
    assert before[secrets / "database-password"] in before[secrets / "database-service"]
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in before} == {0o644}
    subprocess.run([FOLDER / "make-secrets", secrets], check=True)
    assert {path: path.read_bytes() for path in secrets.iterdir()} == before


def test_a_clone_ignores_the_secrets() -> None:
    assert "/deploy/compose/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_prometheus_has_the_rules_and_the_targets(tmp_path: Path, secrets: Path) -> None:
    for target, source in mounts("prometheus").items():
        (tmp_path / Path(target).name).write_text(source.read_text().replace(SECRETS, str(secrets)))
    code, output = promtool("check", "config", "prometheus.yml", folder=tmp_path)
    assert code == 0, output
    (job,) = decoded(FOLDER / "prometheus.yml")["scrape_configs"]
    (original,) = decoded(ROOT / "deploy" / "prometheus" / "prometheus.yml")["scrape_configs"]
    assert job["job_name"] == original["job_name"]
    assert job["static_configs"] == [{"targets": [f"{name}:8000" for name in REPLICAS]}]


def test_grafanas_source_differs_by_its_address_only() -> None:
    ours = decoded(FOLDER / "grafana-datasource.yml")
    (source,) = ours["datasources"]
    (host,) = re.findall(r"http://(\w+):9090", source["url"])
    assert host in SERVICES
    source["url"] = "http://localhost:9090"
    assert ours == decoded(ROOT / "deploy" / "grafana" / "provisioning" / "datasources" / "prometheus.yml")


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.parent.name)
def test_haproxy_accepts_its_configuration(path: Path) -> None:
    run = subprocess.run([needs.program("haproxy", "haproxy"), "-c", "-f", path], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_balancer_has_the_replicas() -> None:
    assert re.findall(r"^    server (\S+) (\S+):8000$", HAPROXY, re.MULTILINE) == [(name, name) for name in REPLICAS]


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.parent.name)
def test_what_the_balancer_answers_itself_has_a_code_of_the_server(path: Path) -> None:
    found = re.findall(r'http-error status (\d+) .*"code":"(\w+)"', path.read_text())
    assert [int(status) for status, _ in found] == [502, 503, 504]
    assert {code for _, code in found} <= set(STATUS)


@contextmanager
def balancing(folder: Path, replicas: list[str], port: int, health: int) -> Iterator[None]:
    """HAProxy with the configuration of the compose file, in front of replicas with these URLs."""
    text = HAPROXY.replace("bind :8000", f"bind 127.0.0.1:{port}").replace("127.0.0.1:8404", f"127.0.0.1:{health}")
    for name, url in zip(REPLICAS, replicas, strict=True):
        text = text.replace(f"server {name} {name}:8000", f"server {name} {url.removeprefix('http://')}")
    (folder / "haproxy.cfg").write_text(text)
    command = [needs.program("haproxy", "haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]
    with (folder / "haproxy.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.mark.serial
def test_a_replica_that_stops_loses_no_request_and_replicas_see_the_client(models: Path, tmp_path: Path) -> None:
    needs.program("haproxy", "haproxy")
    environ = SERVICES[REPLICAS[0]]["environment"]
    given = {"REVERSAL_TRUSTED_PROXIES": "127.0.0.1", "REVERSAL_GRACE_SECONDS": environ["REVERSAL_GRACE_SECONDS"]}
    port, health = free_port(), free_port()
    audit = tmp_path / "audit.jsonl"
    with (
        serving("--models", str(models), "--audit", str(audit), **given) as one,
        serving("--models", str(models), "--audit", str(audit), **given) as other,
        balancing(tmp_path, [one.url, other.url], port, health),
    ):
        url = f"http://127.0.0.1:{port}"
        probe = SERVICES["balancer"]["healthcheck"]["test"][1:]
        probe[-1] = probe[-1].replace("8404", str(health))
        wait_until(lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0)
        assert get(f"{url}/readyz")[0] == 200
        forged = {"X-Forwarded-For": "192.0.2.1"}
        # Another address than that of the balancer.
        client = http.client.HTTPConnection("127.0.0.1", port, source_address=("127.0.0.2", 0))
        client.request("POST", "/reversal/models/v3/switch", headers=forged)
        assert client.getresponse().status == 200
        client.close()
        load = Load(url, clients=4, pause=0.005)
        with load.running():
            load.wait_for(50)
            one.process.send_signal(signal.SIGTERM)
            assert one.process.wait(30) == 0
            load.wait_for(50)
            assert not load.refused
            assert not load.lost
            assert subprocess.run(probe, capture_output=True, check=False).returncode == 0
            other.process.send_signal(signal.SIGTERM)
            # The balancer says that it is unhealthy once no replica is ready.
            wait_until(lambda: subprocess.run(probe, capture_output=True, check=False).returncode != 0)
        status, answer = get(f"{url}/reversal/models")
        assert (status, answer["code"]) == (503, "OVERLOADED")
        assert set(answer) == {"success", "data", "error", "code", "timestamp"}
        assert abs(datetime.fromisoformat(answer["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    (line,) = [json.loads(line) for line in audit.read_text().splitlines()]
    assert line["address"] == "127.0.0.2"
