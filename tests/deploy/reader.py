"""Follows the deployment guide on a machine, page by page, and asks the server while a release is replaced."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import needs
from tests.deploy.machine import Machine, copy_source, machine
from tests.deploy.pages import PAGES, Block, blocks, text_of
from tests.postgres import binaries

# Asks on four connections until its input ends, then prints the number of answers and the failures.
_ASK = """
import http.client, json, pathlib, ssl, sys, threading
home = pathlib.Path.home()
token = (home / "reversal/secrets/api.tokens").read_text().split()[0].partition(":")[2]
body = (home / "source/docs/examples/predict.json").read_text()
context = ssl.create_default_context(cafile=home / "reversal/secrets/certificate.pem")
headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
stop, answered, failed = threading.Event(), [], []
def ask():
    connection = http.client.HTTPSConnection("localhost", 8000, context=context, timeout=30)
    while not stop.wait(0.005):
        try:
            connection.request("POST", "/reversal/predict", body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status == 200 and json.loads(text)["success"]: answered.append(1)
            else: failed.append(f"{answer.status} {text}")
        except (OSError, http.client.HTTPException) as error:
            failed.append(repr(error))
            connection.close()
threads = [threading.Thread(target=ask) for _ in range(4)]
for each in threads: each.start()
sys.stdin.read()
stop.set()
for each in threads: each.join()
print(json.dumps([len(answered), failed]))
"""


@contextmanager
def asking(machine: Machine) -> Iterator[list[int]]:
    """Ask without a pause while the block runs. Its list then has the number of answers; no request may fail."""
    call = machine.command(["python3", "-c", _ASK])
    answers: list[int] = []
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield answers
        output, _ = process.communicate()
    answered, failed = json.loads(output)
    assert not failed, f"{len(failed)} of {answered + len(failed)} failed: {failed[:3]}"
    answers.append(answered)


@contextmanager
def reading() -> Iterator[Reader]:
    """A reader on a machine on which nothing of the guide has been done."""
    for program in ("curl", "openssl", "sqlite3", "haproxy"):
        needs.program(program, program)
    with machine(binaries()) as it:
        reader = Reader(it)
        reader.prepare()
        yield reader


class Reader:
    """Runs the blocks of the pages in their order, each once."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._read: list[str] = []
        # Answers while the replicas were started again: to the new release, and back.
        self.rolled: list[int] = []
        self.health: list[str] = []

    def prepare(self) -> None:
        """Do what the guide asks its reader to have: the release, and an environment that `make convert` has made."""
        source = self.machine.home / "source"
        copy_source(source)
        self.machine.own(source)
        packages = next(Path(each) for each in sys.path if each.endswith("site-packages"))
        version = self.machine.run("python3 -c 'import sys; print(sys.version_info[:2])'").strip()
        if version != str(sys.version_info[:2]):
            needs.missing(f"python3 of the system is {version}, and the packages are for {sys.version_info[:2]}")
        self.machine.run("python3 -m venv --without-pip ~/source/.venv")
        made = source / ".venv" / "lib" / packages.parent.name / "site-packages" / "made.pth"
        made.write_text(f"{packages}\n")

    def until(self, page: str) -> None:
        """Read the pages up to this one."""
        for each in PAGES[: PAGES.index(page) + 1]:
            if each not in self._read:
                self._read.append(each)
                for block in blocks(text_of(each)):
                    self._run(each, block)

    def _run(self, page: str, block: Block) -> None:
        last = block.commands.rstrip().splitlines()[-1]
        if page == "deployment-upgrade.md" and last == "~/reversal/install":
            self._release("9.9.9")
        if "\n~/reversal/roll\n" in block.commands:
            with asking(self.machine) as answers:
                output = self.machine.run(block.commands)
                self.health.append(output)
            self.rolled += answers
        else:
            output = self.machine.run(block.commands)
        different = block.first_difference(output)
        assert different is None, f"docs/{page} shows\n{different}\nbut\n{block.commands}\nprints\n{output}"

    def _release(self, version: str) -> None:
        """Check out another release, as far as the server can tell."""
        file = self.machine.home / "source" / "core" / "version.py"
        file.write_text(re.sub(r'(?m)^VERSION = ".*"$', f'VERSION = "{version}"', file.read_text()))
