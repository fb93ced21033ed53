"""Each entry of the troubleshooting pages: its first command shows a fault that is there, its second one mends it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy import faults
from tests.deploy.machine import USER, Machine
from tests.deploy.pages import PAGES, Block, entries, text_of, troubleshooting
from tests.deploy.reader import Reader
from tests.waiting import wait_until

pytestmark = pytest.mark.serial  # starts servers

ENTRIES = {page: entries(text_of(page)) for page in troubleshooting()}
# PostgreSQL stays.
SERVERS = "reversal|python3|haproxy|curl|sh|sleep|sha256sum|sqlite3"
KEPT = "reversal/reversal.env reversal/secrets reversal/models reversal/data reversal/api reversal/admin backend.env"


def end_all(machine: Machine) -> None:
    kill = machine.command(["pkill", "--signal", "KILL", "--uid", str(USER), "--exact", SERVERS])
    subprocess.run(kill, check=False, stderr=subprocess.DEVNULL)  # it says that it found none
    machine.run(f"while pgrep --uid {USER} --exact 'reversal|haproxy'; do sleep 0.1; done")


def shows(machine: Machine, block: Block) -> bool:
    """Whether the commands of a block print what is shown below it. Prints what they print, for a test that fails."""
    output = machine.run(block.commands, strict=False)
    print(output)  # noqa: T201
    return block.first_difference(output) is None


@pytest.fixture(scope="module")
def followed(reader: Reader) -> Machine:
    """A machine on which the whole guide has been followed. No server runs."""
    reader.until(PAGES[-1])
    end_all(reader.machine)
    reader.machine.run(f"mkdir ~/before; cp -a --parents {KEPT} ~/before")
    return reader.machine


@pytest.fixture
def machine(followed: Machine) -> Iterator[Machine]:
    """The same machine with one server, as the guide leaves it."""
    end_all(followed)
    followed.run(f"chmod -R u+w {KEPT}; rm -rf {KEPT} ~/reversal/*.log ~/*.json; cp -a ~/before/. ~; ~/reversal/start")
    yield followed
    end_all(followed)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("page", "entry"), [(page, entry) for page, found in ENTRIES.items() for entry in found])
def test_the_cause_is_shown_and_mended(machine: Machine, page: str, entry: str) -> None:
    cause, mend, *check = ENTRIES[page][entry]
    assert not shows(machine, cause), "shown without a fault"
    faults.make(machine, faults.FAULTS[page][entry])
    wait_until(lambda: shows(machine, cause))
    assert not any(shows(machine, block) for block in check)
    output = machine.run(mend.commands)
    assert mend.first_difference(output) is None, output
    assert all(shows(machine, block) for block in check)
    if not check:
        wait_until(lambda: not shows(machine, cause))
    machine.run("curl -K ~/reversal/api --fail https://localhost:8000/readyz")


@pytest.mark.parametrize("page", ENTRIES)
def test_every_entry_has_a_fault_and_shows_its_cause(page: str) -> None:
    assert list(ENTRIES[page]) == list(faults.FAULTS[page])
    for cause, _, *check in ENTRIES[page].values():
        assert all(block.shown for block in (cause, *check))


def test_every_fault_has_an_entry() -> None:
    assert set(faults.FAULTS) == set(ENTRIES)
