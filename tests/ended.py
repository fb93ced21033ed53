"""Why a test process has ended before its tests had: for `make test`, which tells a crash from a kill by that."""

from __future__ import annotations

from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

# The exit code of the last such process, as `subprocess` has it: minus the number of a signal.
ENDED = Path("build/tests/ended.txt")
_SECONDS = 10.0


def note(node: Any) -> None:  # noqa: ANN401 - xdist's controller of a process, whose parts have no public names
    """Write and print how a process of xdist ended."""
    try:
        code = node.gateway._io.popen.wait(_SECONDS)  # noqa: SLF001 - execnet tells it in no other way
    except (AttributeError, TimeoutExpired) as error:
        code = type(error).__name__
    ENDED.parent.mkdir(parents=True, exist_ok=True)
    ENDED.write_text(f"{code}\n")
    print(f"{node.gateway.id} ended with exit code {code}", flush=True)  # noqa: T201 - beside xdist's own line
