"""The steps of a check: each has one line with its result, and a reason if it did not pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
# Where the files of a release are, and beside them what the steps printed.
FOLDER = ROOT / "build" / "release"
LOGS = ROOT / "build" / "release-logs"
# Exit codes. A step without a result is no failure, but nothing was learned from it: a release needs another run.
PASSED, FAILED, UNKNOWN = 0, 1, 3
_WORDS = {PASSED: "passed", FAILED: "FAILED", UNKNOWN: "no result"}


class StepFailed(Exception):
    """Something is wrong with the release; the message says what."""


class NoResult(Exception):
    """The step could not find out; the message says why, and what would help."""


class Step(NamedTuple):
    """`run` returns what was found, in a few words, or raises StepFailed or NoResult."""

    name: str
    run: Callable[[], str]


def check(steps: Sequence[Step], show: Callable[[str], None] = print) -> int:
    """Run all steps, also after a failure; returns the exit code."""
    codes = []
    for step in steps:
        began = time.monotonic()
        code, said = _result(step)
        codes.append(code)
        show(f"{_WORDS[code]:<9}  {step.name:<10}  {time.monotonic() - began:4.0f} s  {said}")
    missing = [step.name for step, code in zip(steps, codes, strict=True) if code == UNKNOWN]
    if FAILED in codes:
        show(f"release-check: {codes.count(FAILED)} of {len(codes)} steps failed")
        return FAILED
    if missing:
        show(f"release-check: nothing failed, but there is no result for {', '.join(missing)}")
        return UNKNOWN
    show(f"release-check: all {len(codes)} steps passed")
    return PASSED


def _result(step: Step) -> tuple[int, str]:
    try:
        return PASSED, step.run()
    except StepFailed as error:
        return FAILED, str(error)
    except NoResult as error:
        return UNKNOWN, str(error)
    except Exception as error:  # noqa: BLE001 - a step that breaks has not passed, and the next ones still run
        return FAILED, f"{type(error).__name__}: {error}".replace("\n", " ")


def output(*command: str | Path, folder: Path = ROOT) -> str:
    """The standard output of a command. Raises StepFailed if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise StepFailed(f"{command[0]}: {last_line(done.stderr) or last_line(done.stdout)}")
    return done.stdout


def logged(name: str, command: Sequence[str | Path], environ: Mapping[str, str]) -> str:
    """Run a command that prints much; returns its last line. Raises StepFailed with the place of what it printed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    with log.open("wb") as file:
        ended = subprocess.run(command, cwd=ROOT, env=environ, stdout=file, stderr=subprocess.STDOUT, check=False)  # noqa: S603 - likewise
    said = last_line(log.read_text(errors="replace"))
    if ended.returncode:
        failed = [
            line for line in log.read_text(errors="replace").splitlines() if line.startswith(("FAILED ", "ERROR "))
        ]
        raise StepFailed(f"{said}{''.join(f'; {line[:200]}' for line in failed[:1])} ({log.relative_to(ROOT)})")
    return said


def tested(name: str, arguments: Sequence[str], **environ: str) -> str:
    """Run tests; returns their counts. Raises StepFailed, or NoResult if tests were skipped."""
    said = logged(name, [sys.executable, "-m", "pytest", "-q", "-ra", *arguments], _outside_ci() | environ)
    skipped = re.findall(r"^SKIPPED .*?: (.*)$", (LOGS / f"{name}.log").read_text(errors="replace"), re.MULTILINE)
    if skipped:
        raise NoResult(f"{said}: {skipped[0]} ({(LOGS / f'{name}.log').relative_to(ROOT)})")
    return said


def _outside_ci() -> dict[str, str]:
    # With CI set, a missing program would be a failure of the release.
    return {each: value for each, value in os.environ.items() if each != "CI"}


def last_line(text: str) -> str:
    """The last line that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
