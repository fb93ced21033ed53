"""Predictions while nothing reads the log: standard error is a pipe, which is read at first and then not any more.

Two workers with the access log, so that each answer makes a line. It prints answers a second of the same server before
and during the stall, the failed requests, and the lines that were lost.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import closing

from benchmarks import bodies
from benchmarks.load import Connection, closed, message
from benchmarks.machine import ROOT
from benchmarks.servers import free_port

_CONNECTIONS = 8


class _Reader(threading.Thread):
    """Reads and discards the log until `stalled` is set."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self._descriptor = descriptor
        self.stalled = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.stalled.is_set() and os.read(self._descriptor, 1 << 16):
            pass


def _lost(port: int) -> int:
    with closing(Connection(port)) as connection:
        text = connection.ask(message("/metrics", headers=())).decode()
    found = re.search(r"^reversal_log_lines_dropped_total (\S+)", text, re.MULTILINE)
    return int(float(found[1])) if found else 0


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each half")
    seconds = parser.parse_args().seconds
    port, (reading, writing) = free_port(), os.pipe()
    reader = _Reader(reading)
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "REVERSAL_STATE_URL": f"sqlite:///{folder}/state.db",
            "REVERSAL_JOURNALS": f"{folder}/journals",
            "REVERSAL_AUDIT": f"{folder}/audit.jsonl",
            "REVERSAL_WORKERS": "2",
            "REVERSAL_ACCESS_LOG": "1",
        }
        command = [sys.executable, "-m", "server", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environ, stderr=writing)  # noqa: S603 - its own command
        os.close(writing)
        try:
            _wait(port)
            messages = bodies.messages("features")
            for name in ("read", "stalled"):
                if name == "stalled":
                    reader.stalled.set()
                found = closed(port, messages, _CONNECTIONS, seconds)
                rate = len(found.times) / found.seconds
                print(f"{name}: {rate:.0f} answers/s, {found.errors} failed, {_lost(port)} lines lost")
        finally:
            process.terminate()
            print(f"exit code {process.wait(30)}")


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            with closing(Connection(port)) as connection:
                connection.ask(message("/readyz", headers=()))
                return
        except Exception:  # noqa: BLE001 - it is not ready
            threading.Event().wait(0.1)


if __name__ == "__main__":
    main()
