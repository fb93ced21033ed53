"""Rules for the tests: where shared code is, how tests wait, and which of them run one by one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.markers import SERIAL_FOLDERS
from tests.market import ROOT

TESTS = sorted((ROOT / "tests").rglob("*.py"))
SLEEP = re.compile(r"\b(?:time|asyncio)\.sleep\((?!0\))|\bimport sleep\b")
# The number of sleeps that a module may have, and why it cannot wait for an event instead.
SLEEPS = {
    "tests/waiting.py": (2, "the pause between two checks of a condition"),
    "tests/benchmarks/test_load.py": (3, "the time that a server takes to answer, which the load measures"),
    "tests/deploy/test_pods.py": (1, "the period of the kubelet's probe"),
    "tests/server/grpc/test_port.py": (1, "longer than a port without calls waits"),
    "tests/server/http/test_deadline.py": (1, "a body that arrives slowly"),
    "tests/server/keeper/dashboard/test_stream.py": (1, "a time in which no worker may be asked"),
    "tests/server/keeper/test_changes.py": (1, "a disk that takes longer than a worker is allowed to"),
    "tests/server/process/test_process.py": (1, "the CPU time of an idle second"),
    "tests/server/worker/fast_path/test_connection.py": (4, "idle connections, and heads that arrive slowly"),
    "tests/server/worker/test_pipelining.py": (1, "pieces of requests that arrive at random moments"),
    "tests/system/load.py": (1, "the pace of clients"),
    "tests/system/test_changes.py": (2, "changes at random moments"),
    "tests/system/test_drain.py": (2, "workers that are delayed by code of the test"),
    "tests/system/test_faults.py": (1, "two seconds in which the circuit breaker stays open"),
    "tests/system/test_half_close.py": (1, "a worker that stands still until its next check is due"),
    "tests/system/test_kill.py": (2, "kills at random moments"),
    "tests/system/test_log.py": (1, "errors of aiohttp, which are logged once a second"),
    "tests/system/test_postgres_outage.py": (1, "the length of an outage"),
    "tests/system/test_signals.py": (3, "the order of signals, and a startup that is delayed by code of the test"),
    "tests/system/test_trouble.py": (1, "a second in which a metric must not change"),
    "tests/test_market_data.py": (1, "the end of an hour, which some cases must not reach"),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> set[str]:
    """The modules of tests and benchmarks that a module imports, and the names from them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {each for each in found if each.startswith(("tests", "benchmarks"))}


def test_no_module_imports_a_test_or_a_conftest() -> None:
    of_tests = re.compile(r"tests\.(\w+\.)*(test_\w+|conftest)(\.|$)")
    wrong = {
        name(path): found for path in TESTS if (found := {each for each in imported(path) if of_tests.match(each)})
    }
    assert not wrong


def test_only_listed_modules_sleep() -> None:
    found = {name(path): len(SLEEP.findall(path.read_text())) for path in TESTS if path != Path(__file__)}
    assert {path: count for path, count in found.items() if count} == {
        path: count for path, (count, _) in SLEEPS.items()
    }


def test_modules_that_start_servers_are_serial() -> None:
    starters = {
        "tests.processes.serving",
        "tests.processes.starting",
        "tests.processes.wait_until_alive",
        "tests.systemd.booted",
        "benchmarks.servers",
    }
    for path in TESTS:
        if path.stem.startswith("test_") and not starters.isdisjoint(imported(path)):
            in_folder = any(path.is_relative_to(ROOT / folder) for folder in SERIAL_FOLDERS)
            assert in_folder or "mark.serial" in path.read_text(), (
                f"{name(path)} starts servers and is not marked serial"
            )


def test_ci_samples_every_module_with_long_tests() -> None:
    (samples,) = re.findall(r"^samples=\((.*)\)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    words = set(re.findall(r"\w+", samples)) - {"or"}
    for path in TESTS:
        if path.stem.startswith("test_") and path != Path(__file__) and "mark.long" in path.read_text():
            assert any(word in path.stem for word in words), (
                f"{name(path)} has a long test that no sample of .ci/run matches"
            )
