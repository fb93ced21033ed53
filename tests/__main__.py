"""`make test`: what may run beside other tests, on all cores, then what may not. The last lines tell what passed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

# Not `-n auto`, which leaves out the threads of a core. `loadfile` keeps a file's fixtures in one process.
PARTS = {
    "parallel": ["-m", "not serial and not long", "-n", "logical", "--dist", "loadfile"],
    "serial": ["-m", "serial and not long"],
}
RESULTS = Path("build/tests")


def run(part: str, arguments: list[str]) -> tuple[bool, str]:
    """Whether all tests of a part have passed, and a line that tells it. A part without tests has not passed."""
    result = RESULTS / f"{part}.xml"
    result.unlink(missing_ok=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", *PARTS[part], f"--junitxml={result}", *arguments]
    code = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - began
    try:
        told = counts(result)
    except (OSError, ET.ParseError):
        told = "no result"
    return code == 0, f"{part}: {told} in {seconds:.0f} s" + (f", exit code {code}" if code else "")


def counts(result: Path) -> str:
    """How many tests have passed and how many have not, as pytest wrote it."""
    suites = ET.parse(result).getroot().findall("testsuite")  # noqa: S314 - pytest's own
    tests, failures, errors, skipped = (
        sum(int(suite.attrib[name]) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    told = [f"{tests - failures - errors - skipped} passed"]
    told += [f"{n} {name}" for n, name in ((failures, "failed"), (errors, "errors"), (skipped, "skipped")) if n]
    return ", ".join(told)


def main(arguments: list[str]) -> int:
    """Run both parts, the second also where the first has failed. Arguments are pytest's."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    ended = [run(part, arguments) for part in PARTS]
    for _, line in ended:
        print(line)  # noqa: T201 - what the command is for
    return 0 if all(passed for passed, _ in ended) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
