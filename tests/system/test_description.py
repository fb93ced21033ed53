"""Sends unusual requests, generated from /openapi.json, to a real server. `make fuzz` sends many more."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.market import ROOT


def test_unusual_requests_get_the_described_answers() -> None:
    command = [
        sys.executable,
        "-m",
        "fuzz.http",
        "--large",
        "0",
        "--medium",
        "0",
        "--small",
        "0",
        "--examples",
        "5",
        "--phases",
        "examples,fuzzing",
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert ended.returncode == 0, ended.stdout
    sent = re.search(r"(\d+) generated, (\d+) passed", ended.stdout)
    assert sent is not None
    assert int(sent[1]) == int(sent[2]) > 100
