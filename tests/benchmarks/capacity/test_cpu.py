from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

import pytest

from benchmarks.capacity import cpu

BUSY = "import time\nwhile time.process_time() < 0.2: pass"


def test_children_that_have_ended_count_in_the_tree() -> None:
    def of_children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    tree, own, children = cpu.of_tree(os.getpid()), time.process_time(), of_children()
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    used = time.process_time() - own + of_children() - children
    assert used > 0.2
    assert cpu.of_tree(os.getpid()) - tree == pytest.approx(used, abs=0.1)
