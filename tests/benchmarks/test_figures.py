from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.figures import medians, shortened, watched
from benchmarks.load import Result
from benchmarks.servers import Running
from tests.waiting import wait_until

pytestmark = pytest.mark.serial  # CPU seconds


def test_figures_of_rounds_are_medians_and_counts_are_sums() -> None:
    rounds = [
        {"p50": 1.0, "answers": 10, "errors": 0},
        {"p50": 9.0, "answers": 20, "errors": 1},
        {"p50": 2.0, "answers": 30, "errors": 0},
    ]
    assert medians(rounds) == {"p50": 2.0, "answers": 60, "errors": 1}


@pytest.mark.parametrize(("value", "short"), [(0.123456, 0.1235), (12345.6, 12350.0), (0.0, 0.0)])
def test_figures_are_rounded_to_four_significant_digits(value: float, short: float) -> None:
    assert shortened(value) == short


def test_cpu_time_is_divided_by_all_answers_including_those_of_the_warm_up(tmp_path: Path) -> None:
    # A process whose child uses the CPU until both are killed.
    child = "while True: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    running = Running(process, 1, 0.0)
    try:
        wait_until(lambda: len(running.pids) == 2)

        def load(port: int, answers: int) -> Result:
            assert port == 1
            before = running.cpu_seconds
            wait_until(lambda: running.cpu_seconds - before >= 0.2)
            return Result(np.full(answers, 0.001), seconds=1.0, warm_up=1.0)

        found = watched(running, load, 50)
        assert len(running.rss_mib) == 2
        assert min(running.rss_mib) > 1
    finally:
        for pid in reversed(running.pids):
            subprocess.run(["/bin/kill", "-9", str(pid)], check=False)
        process.wait()
    # 0.2 s or a little more, divided by 50 counted answers and 50 answers of the warm-up
    assert found["cpu_us"] >= 2000
    assert found["answers"] == 50
