"""Threads under a real limit of processes and threads, which root does not have: so in a process of another user."""

from __future__ import annotations

import subprocess
import sys
import threading

from server.threads import Threads
from tests.market import ROOT
from tests.namespaces import limited

CALLS = """
from server.threads import Threads, ThreadsExhausted
import threading
try:
    threads = Threads(4)
    answers = [each.result() for each in [threads.submit(threading.get_ident) for _ in range(50)]]
    print(len(answers), len(set(answers)))
except ThreadsExhausted as error:
    print(type(error).__name__)
"""


def test_calls_wait_for_the_only_thread_if_no_other_can_be_started() -> None:
    """In one test, because the limit is for all processes of the other user together."""
    for limit, printed in ((1, "ThreadsExhausted"), (2, "50 1")):
        command = [*limited(limit), sys.executable, "-c", CALLS]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert run.stdout == f"{printed}\n"


def test_a_call_after_the_start_uses_the_first_thread() -> None:
    before = threading.active_count()
    threads = Threads(4)
    assert threads.submit(int).result() == 0
    assert threading.active_count() == before + 1
    threads.shutdown()
