"""`make test`: runs parallel tests on all cores, then serial tests one by one. The last lines are a summary."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from signal import SIGKILL
from xml.etree import ElementTree as ET

from tests.ended import ENDED

# `-n logical` counts hardware threads; `-n auto` counts only cores. `loadfile` keeps a file's fixtures in one process.
# A process that ends is not replaced, because xdist then waits for the rest of its file, and the run never ends.
PARTS = {
    "parallel": ["-m", "not serial and not long", "-n", "logical", "--dist", "loadfile", "--max-worker-restart=0"],
    "serial": ["-m", "serial and not long"],
}
RESULTS = Path("build/tests")


def run(part: str, arguments: list[str]) -> tuple[bool, str]:
    """Run one part. Returns whether all its tests passed, and a summary. A part without tests has not passed.

    A test process that was killed from outside says nothing about its tests, so the part is then run again, once. A
    crash of a process is a failure.
    """
    ENDED.unlink(missing_ok=True)
    passed, summary = _run_once(part, arguments)
    if not passed and ENDED.exists() and ENDED.read_text().strip() == f"-{SIGKILL:d}":
        ENDED.unlink()
        print(f"{summary}: a test process was killed, so the part runs again", flush=True)  # noqa: T201 - as below
        passed, summary = _run_once(part, arguments)
    return passed, summary


def _run_once(part: str, arguments: list[str]) -> tuple[bool, str]:
    result = RESULTS / f"{part}.xml"
    result.unlink(missing_ok=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", *PARTS[part], f"--junitxml={result}", *arguments]
    code = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - began
    try:
        summary = counts(result)
    except (OSError, ET.ParseError):
        summary = "no result"
    return code == 0, f"{part}: {summary} in {seconds:.0f} s" + (f", exit code {code}" if code else "")


def counts(result: Path) -> str:
    """The numbers of passed, failed and skipped tests in a result file of pytest."""
    suites = ET.parse(result).getroot().findall("testsuite")  # noqa: S314 - written by pytest
    tests, failures, errors, skipped = (
        sum(int(suite.attrib[name]) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    parts = [f"{tests - failures - errors - skipped} passed"]
    parts += [f"{n} {name}" for n, name in ((failures, "failed"), (errors, "errors"), (skipped, "skipped")) if n]
    return ", ".join(parts)


def main(arguments: list[str]) -> int:
    """Run both parts, the second one even if the first one failed. `arguments`: further arguments for pytest."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    ended = [run(part, arguments) for part in PARTS]
    for _, line in ended:
        print(line)  # noqa: T201 - the output of the command
    return 0 if all(passed for passed, _ in ended) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
