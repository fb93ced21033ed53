"""The tests themselves: where their helpers live, how they wait, and which of them run one by one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.markers import SERIAL_FOLDERS
from tests.market import ROOT

TESTS = sorted((ROOT / "tests").rglob("*.py"))
SLEEP = re.compile(r"\b(?:time|asyncio)\.sleep\((?!0\))|\bimport sleep\b")
# How many sleeps a module may have, and why waiting for an event would not do.
SLEEPS = {
    "tests/waiting.py": (2, "the pauses between two looks"),
    "tests/benchmarks/test_load.py": (3, "how long a server takes to answer is what the load measures"),
    "tests/server/http/test_deadline.py": (1, "a body that comes slowly"),
    "tests/server/keeper/test_changes.py": (1, "a disk that is slower than a worker may be"),
    "tests/server/process/test_process.py": (1, "the CPU time of an idle second"),
    "tests/server/worker/test_fast_path.py": (4, "connections that are idle, or whose heads come slowly"),
    "tests/server/worker/test_pipelining.py": (1, "pieces of requests that come at any moment"),
    "tests/system/load.py": (1, "the pace of clients"),
    "tests/system/test_changes.py": (2, "changes at random moments"),
    "tests/system/test_drain.py": (2, "workers that are held up, in code that they are given"),
    "tests/system/test_faults.py": (1, "two seconds in which a version stays put aside"),
    "tests/system/test_kill.py": (2, "kills at random moments"),
    "tests/system/test_log.py": (1, "aiohttp's complaints, of which the log has one a second"),
    "tests/system/test_postgres_outage.py": (1, "the length of an outage"),
    "tests/system/test_signals.py": (3, "signals in their order, and a start that is held up in code that it is given"),
    "tests/system/test_trouble.py": (1, "a second in which a metric stays as it is"),
    "tests/test_market_data.py": (1, "the end of an hour of the clock, which some cases must not meet"),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> set[str]:
    """The modules of the tests, and their names, that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {each for each in found if each.startswith(("tests", "benchmarks"))}


def test_nothing_is_imported_from_a_test_or_a_conftest() -> None:
    of_tests = re.compile(r"tests\.(\w+\.)*(test_\w+|conftest)(\.|$)")
    wrong = {
        name(path): found for path in TESTS if (found := {each for each in imported(path) if of_tests.match(each)})
    }
    assert not wrong


def test_sleeps_are_those_whose_subject_is_time() -> None:
    found = {name(path): len(SLEEP.findall(path.read_text())) for path in TESTS if path != Path(__file__)}
    assert {path: count for path, count in found.items() if count} == {
        path: count for path, (count, _) in SLEEPS.items()
    }


def test_what_starts_servers_runs_one_by_one() -> None:
    starters = {
        "tests.processes.serving",
        "tests.processes.starting",
        "tests.processes.wait_until_alive",
        "benchmarks.servers",
    }
    for path in TESTS:
        if path.stem.startswith("test_") and not starters.isdisjoint(imported(path)):
            in_folder = any(path.is_relative_to(ROOT / folder) for folder in SERIAL_FOLDERS)
            assert in_folder or "mark.serial" in path.read_text(), (
                f"{name(path)} starts servers and is not marked serial"
            )


def test_ci_runs_each_long_test_on_one_of_its_days() -> None:
    (samples,) = re.findall(r"^samples=\((.*)\)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    words = set(re.findall(r"\w+", samples)) - {"or"}
    for path in TESTS:
        if path.stem.startswith("test_") and path != Path(__file__) and "mark.long" in path.read_text():
            assert any(word in path.stem for word in words), f"{name(path)} has a long test, .ci/run never runs it"
