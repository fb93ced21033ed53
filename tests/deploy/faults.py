"""Makes the fault of each entry of the troubleshooting pages on a machine that has followed the guide."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import bundles
from tests.deploy.machine import Machine
from tests.market import ROOT
from tests.waiting import wait_until

_RESTART = "~/reversal/stop; ~/reversal/start || true"
_NEW_CERTIFICATE = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost \\
  -addext subjectAltName=DNS:localhost -keyout ~/new.key -out ~/new.pem
cp ~/new.key ~/reversal/secrets/key.pem; cp ~/new.pem ~/reversal/secrets/certificate.pem; sleep 2
"""


def _of_a_user() -> dict[str, Any]:
    body: dict[str, Any] = json.loads((ROOT / "docs" / "examples" / "predict.json").read_text())
    return body


def _example() -> dict[str, Any]:
    """A body without a user, which the active version answers."""
    return {name: value for name, value in _of_a_user().items() if name != "user_id"}


def _write(machine: Machine, body: dict[str, Any], name: str = "request.json") -> None:
    path = machine.home / name
    path.write_text(json.dumps(body))
    machine.own(path)


def _asks_for_the_new_version(machine: Machine) -> None:
    _write(machine, _example() | {"version": "v3.3"})


def _points(machine: Machine) -> None:
    body = _example() | {"version": "v3.1"}
    for candle in body["data"]:
        candle.update({price: candle[price] * 100_000 for price in ("open", "high", "low", "close")})
    _write(machine, body)
    machine.run("curl -K ~/reversal/api https://localhost:8000/reversal/predict -d @$HOME/request.json")


def _raw_features(machine: Machine) -> None:
    row = [1.19, 1.2, 1.18, 1.19, 1.19, 55, 0.001, 0.001, 1.19, 0.004, 0.001, 25]
    _write(machine, {"pair": "EUR/USD", "version": "v3.0", "features": [row] * 20})


def _few_candles(machine: Machine) -> None:
    body = _example() | {"version": "v3.1"}
    _write(machine, body, "history.json")
    _write(machine, body | {"data": body["data"][-80:]})


def _recent(lead: timedelta, key: str = "timestamp") -> dict[str, Any]:
    """The example with the hours that have ended last. Their times are ahead of the opening by `lead`."""
    # Not in the last minute of an hour, because the next one would begin before the request arrives.
    wait_until(lambda: datetime.now(UTC).minute < 59, 90)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    body = _example()
    for age, candle in enumerate(reversed(body["data"])):
        del candle["timestamp"]
        candle[key] = (hour - timedelta(hours=age) + lead).strftime("%Y-%m-%dT%H:%M:%S")
    return body


def _expired(machine: Machine) -> None:
    secrets = machine.home / "reversal" / "secrets"
    key = serialization.load_pem_private_key((secrets / "key.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (secrets / "certificate.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    machine.run("sleep 2")


def _refuses(machine: Machine) -> None:
    _write(machine, {"items": [_example()] * 60}, "batch.json")
    machine.run(f"""
        sed -i 's/^REVERSAL_WORKERS=.*/REVERSAL_WORKERS=1/' ~/reversal/reversal.env
        echo REVERSAL_MAX_IN_FLIGHT=1 >> ~/reversal/reversal.env
        {_RESTART}
        for each in 1 2 3 4; do
          nohup sh -c 'while :; do
            curl -K ~/reversal/api -d @batch.json https://localhost:8000/reversal/predict/batch; sleep 0.01
          done' > /dev/null 2>&1 &
        done""")
    metrics = "curl -K ~/reversal/api https://localhost:8000/metrics | grep -cE 'errors_total.*OVERLOADED.* [1-9]'"
    wait_until(lambda: machine.run(metrics, strict=False).strip() == "1", 60)


def _version_that_fails(machine: Machine) -> None:
    models = machine.home / "reversal" / "models"
    machine.run("rm -r ~/reversal/models/v3.3")
    bundles.write(models, "v3.3", kind="raises")  # on windows with a mean above 0.9, as prices near 1.19 are
    machine.own(models / "v3.3")
    _write(machine, _example())
    machine.run("curl -K ~/reversal/admin -X POST --fail https://localhost:8000/reversal/models/v3.3/switch")


Fault = str | Callable[[Machine], None]
# By page and entry. What a shell can do is a script.
FAULTS: dict[str, dict[str, Fault]] = {
    "troubleshooting.md": {
        "A setting is wrong": "sed -i 's/^REVERSAL_WORKERS=.*/REVERSAL_WORKERS=many/' ~/reversal/reversal.env;"
        + _RESTART,
        "The port is taken": """
            ~/reversal/stop
            nohup python3 -m http.server 8000 > /dev/null 2>&1 &
            curl --silent --retry 9 --retry-connrefused --output /dev/null http://localhost:8000
            ~/reversal/start || true""",
        "A file of tokens is empty": ": > ~/reversal/secrets/admin.tokens;" + _RESTART,
        "Another server uses the state": """
            ~/reversal/stop
            cd ~/reversal; set -a; . ./reversal.env; set +a
            REVERSAL_PORT=8009 nohup current/bin/reversal serve > other.log 2>&1 &
            curl --retry 30 --retry-connrefused --retry-delay 1 -K ~/reversal/api https://localhost:8009/readyz
            ~/reversal/start || true""",
        "A folder cannot be written": "~/reversal/stop; chmod u-w ~/reversal/data; ~/reversal/start",
    },
    "troubleshooting-models.md": {
        "A bundle is damaged": "truncate -s -100 ~/reversal/models/v3.3/stage1*.onnx",
        "A bundle of a running experiment was replaced": "echo >> ~/reversal/models/v3.0/manifest.json",
        "A version is there, but not loaded": _asks_for_the_new_version,
        "The active version is not the one that was switched to": """
            curl -K ~/reversal/admin -X POST https://localhost:8000/reversal/models/v3.3/switch
            truncate -s -100 ~/reversal/models/v3.3/stage1*.onnx
            ~/reversal/stop
            # The server stays not ready, for which the script would wait. It runs on without the script.
            timeout --foreground 10 ~/reversal/start || true""",
        "The reference detectors answer": "sed -i /^REVERSAL_MODELS/d ~/reversal/reversal.env;" + _RESTART,
    },
    "troubleshooting-requests.md": {
        "Connection refused from other machines": """
            sed -i s/^REVERSAL_HOST=.*/REVERSAL_HOST=127.0.0.1/ ~/reversal/reversal.env;"""
        + _RESTART,
        "The certificate is not trusted": """
            cp ~/reversal/secrets/certificate.pem ~/old.pem
            sed -i "s|^NODE_EXTRA_CA_CERTS=.*|NODE_EXTRA_CA_CERTS=$HOME/old.pem|" ~/backend.env"""
        + _NEW_CERTIFICATE,
        "The certificate has expired": _expired,
        "The token is missing or wrong": "sed -i s/^ML_API_TOKEN=.*/ML_API_TOKEN=/ ~/backend.env",
        "The host name is refused": """
            sed -i '/TOKEN_FILE/d; s/^REVERSAL_HOST=.*/REVERSAL_HOST=127.0.0.1/' ~/reversal/reversal.env;"""
        + _RESTART,
    },
    "troubleshooting-load.md": {
        "Another program takes the CPU": """
            for each in 1 2 3 4; do nohup sha256sum /dev/zero > /dev/null 2>&1 & done; sleep 2""",
        "Requests are refused as too many": _refuses,
        "The state file is locked": """
            rm -f ~/statements; mkfifo ~/statements
            nohup sqlite3 ~/reversal/data/state.db < ~/statements > /dev/null 2>&1 &
            nohup sh -c 'echo "BEGIN EXCLUSIVE;"; exec sleep 600' > ~/statements 2> /dev/null & sleep 10""",
        "The state file is read-only": """
            ~/reversal/stop; chmod u-w ~/reversal/data/state.db; ~/reversal/start; sleep 3""",
        "PostgreSQL does not answer": "~/reversal/replica 8001; pg_ctl -D ~/postgres -m fast -w stop; sleep 4",
    },
    "troubleshooting-signals.md": {
        "Prices are in another unit": _points,
        "Features are not scaled": _raw_features,
        "There are too few candles": _few_candles,
        "Times are those of the closing": lambda machine: _write(machine, _recent(timedelta(hours=1))),
        "Times come from a broker's clock": lambda machine: _write(machine, _recent(timedelta(hours=3))),
        "The newest candle is not known": lambda machine: _write(machine, _recent(timedelta(), "datetime")),
        "Another version answers": _version_that_fails,
    },
    "troubleshooting-experiments.md": {
        "Requests have no user": lambda machine: _write(machine, _example()),
        "Requests name a version": lambda machine: _write(machine, _of_a_user() | {"version": "v3.1"}),
        "The experiment is not active": """
            curl -K ~/reversal/admin --fail https://localhost:8000/reversal/experiments -d '{"experiment_id": "second",
              "name": "Again", "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}'""",
    },
}


def make(machine: Machine, fault: Fault) -> None:
    """Make a fault."""
    if isinstance(fault, str):
        machine.run(fault)
    else:
        fault(machine)
