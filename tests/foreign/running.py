"""Servers for the clients of other projects, and what is given to the tests that run beside those clients."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np

from benchmarks import stages
from core.features import catalogue
from core.features.candles import Candles
from tests import market
from tests.market import ROOT
from tests.processes import post
from tests.system import load

CLIENTS = ROOT / "tests" / "foreign" / "clients"
PYTHON = ROOT / ".venv-foreign" / "bin" / "python"
VERSION = stages.VERSION
# A version that is in no experiment, so that it can be unloaded.
SPARE = "v1"
SIGNALS = ("hold", "long", "short")
KINDS = ("candles", "raw_features", "features")
EXPERIMENT = "foreign"
_WINDOW = 120
_STRIDE = 17


class Ran(NamedTuple):
    """What a run of a client's tests ended with: the number of tests by outcome, and the text that it printed."""

    passed: int
    others: dict[str, int]
    shown: str


def run(client: str, given: Path, report: Path) -> Ran:
    """Run the tests of a client in its environment."""
    command = [
        *(str(PYTHON), "-m", "pytest", "-c", str(CLIENTS / "pytest.ini"), "--rootdir", str(CLIENTS), "--noconftest"),
        *("-q", "--no-header", f"--junitxml={report}", str(CLIENTS / f"{client}.py")),
    ]
    # Proxies of the machine are not for servers on loopback.
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(report.parent), "REVERSAL_FOREIGN": str(given), "NO_PROXY": "*"}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    shown = ended.stdout + ended.stderr
    if not report.exists():
        return Ran(0, {"no result": 1}, shown)
    (suite,) = ET.parse(report).getroot().findall("testsuite")  # noqa: S314 - written by pytest
    counted = {name: int(suite.attrib[name]) for name in ("failures", "errors", "skipped")}
    others = {name: count for name, count in counted.items() if count}
    if ended.returncode:
        others["exit code"] = ended.returncode
    return Ran(int(suite.attrib["tests"]) - sum(counted.values()), others, shown)


def asked(url: str) -> list[dict[str, Any]]:
    """Questions of each kind and signal, with the answers of /reversal/predict."""
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(market.frame()) - _WINDOW, _STRIDE):
        for kind, body, tensors, parameters in _kinds(start):
            status, answer = post(f"{url}/reversal/predict", body)
            assert status == 200, answer
            data = answer["data"]
            row = {"version": VERSION, "tensors": tensors, "parameters": parameters, "answer": data}
            name = f"{kind}, {data['signal']}"
            found.setdefault(name, {"name": name} | row)
        if len(found) == len(SIGNALS) * len(KINDS):
            return list(found.values())
    raise AssertionError(f"the series has only {sorted(found)}")


def _kinds(start: int) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """The body of /reversal/predict, the tensors and the parameters, of one window as each kind."""
    body = market.body(start, _WINDOW, version=VERSION)
    common = {name: body[name] for name in ("pair", "timeframe")}
    candles = market.frame().iloc[start : start + _WINDOW]
    times = candles["timestamp"].str.removesuffix("Z").to_numpy("datetime64[ms]").astype(np.int64)
    rows = candles[market.FIELDS].to_numpy(np.float64)
    yield "candles", body, {"candles": rows.tolist(), "timestamps": times.tolist()}, common
    stage = stages.bundle().manifest.stage1
    raw = catalogue.matrix(Candles.from_rows(rows), stage.features, stage.sequence_length)
    own = common | {"version": VERSION}
    body = own | {"features": raw.tolist(), "features_scaled": False}
    yield "raw_features", body, {"raw_features": raw.tolist()}, common
    scaled = stages.scaled(Candles.from_rows(rows)).tolist()
    yield "features", own | {"features": scaled}, {"features": scaled}, common


def start_experiment(url: str) -> dict[str, str]:
    """Start an experiment, and return one of its users with its variant."""
    load.start_experiment(url, EXPERIMENT, variant_a="v3.0", variant_b="v3.1")
    body = market.body(0, _WINDOW, user_id="user 1")
    answer = post(f"{url}/reversal/predict", body)[1]["data"]
    return {"id": "user 1", "variant": answer["experiment"]["variant"]}


def write(folder: Path, **given: Any) -> Path:  # noqa: ANN401 - any JSON
    """Write what is given to the tests of the clients."""
    path = folder / "given.json"
    path.write_text(json.dumps(given))
    return path
