"""Pages that are open while workers die, are replaced, and while the server is restarted."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.processes import Server, free_port, post, serving
from tests.streams import Event, Page, opened
from tests.system.load import Load, question
from tests.waiting import wait_until

WORKERS = 2


def told(event: Event) -> int:
    """The answers that an event accounts for."""
    if event.kind == "hello":
        return len(event.data["signals"]) + (event.data["missed"] or 0)
    answered: int = event.data["answered"] if event.kind == "signals" else 0
    return answered


def worker_of(server: Server, page: Page) -> int:
    """The process id of the worker at the other end of a page's connection."""
    port = int(server.url.rpartition(":")[2])
    ends = f":{port:04X}", f":{page.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = [row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends]
    (worker,) = [
        pid
        for pid in server.workers
        if any(str(each.readlink()) == f"socket:[{inode}]" for each in Path(f"/proc/{pid}/fd").iterdir())
    ]
    return worker


def test_a_page_goes_on_with_another_worker_and_accounts_for_every_answer(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS=str(WORKERS)) as server:
        load = Load(server.url, clients=4, pause=0.002)
        last, accounted = "", 0
        with load.running():
            for number in range(2):
                with opened(server.url, last) as page:
                    hello = page.first("hello")
                    accounted += told(hello)
                    assert hello.data["resumed"] is bool(number)
                    assert number == 0 or hello.data["missed"] is not None
                    worker = worker_of(server, page)
                    for count, event in enumerate(page.events()):
                        accounted += told(event)
                        if count == 3:  # the stream goes on until the worker's end reaches it
                            os.kill(worker, signal.SIGKILL)
                    last = page.last
            load.wait_for(50)
        answered = sum(answer.status == 200 for answer in load.answers)
        wait_until(lambda: len(server.workers) == WORKERS)
        with opened(server.url, last) as page:
            for event in page.events():
                accounted += told(event)
                if accounted >= answered and event.kind == "figures":
                    break
        # Beyond the answers that clients got are those that were lost with their worker.
        assert answered <= accounted <= answered + len(load.lost)
        assert event.data["now"]["workers_lost"] == 2


def test_a_page_survives_a_reload_and_learns_of_a_restart(models: Path, tmp_path: Path) -> None:
    port = free_port()
    with serving("--models", str(models), port=port, state=tmp_path, REVERSAL_WORKERS=str(WORKERS)) as server:
        with opened(server.url) as page:
            before, replaced = page.first("hello").data["epoch"], set(server.workers)
            server.process.send_signal(signal.SIGHUP)
            *_, bye = page.events()
            assert (bye.kind, bye.data) == ("bye", {"reason": "shutdown"})
        wait_until(lambda: replaced.isdisjoint(server.workers))
        for number in range(5):
            assert post(f"{server.url}/reversal/predict", question(0, number))[0] == 200
        with opened(server.url, page.last) as again:
            hello = again.first("hello")
            assert (hello.data["resumed"], hello.data["missed"]) == (True, 0)
            shown = list(hello.data["signals"])
            while len(shown) < 5:  # those that the workers had not told yet
                shown += again.first("signals").data["signals"]
            assert [signal["stage1_prob"] for signal in shown] == pytest.approx([number / 50 for number in range(5)])
            log = server.stop()
            *_, bye = again.events()
            assert bye.kind == "bye"
        assert server.process.returncode == 0
        assert "requests_aborted" not in log
        assert "Traceback" not in log
    with serving("--models", str(models), port=port, state=tmp_path) as server, opened(server.url, again.last) as page:
        hello = page.first("hello")
        assert (hello.data["resumed"], hello.data["missed"], hello.data["signals"]) == (False, None, [])
        assert hello.data["epoch"] != before
