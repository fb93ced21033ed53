"""The load balancer of docs/several-machines.md has no more rights than it needs."""

from __future__ import annotations

import pwd
import re
import subprocess
from pathlib import Path

from tests import needs
from tests.market import ROOT
from tests.processes import free_port
from tests.waiting import wait_until

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"


def test_the_load_balancer_is_an_ordinary_user_in_a_folder_without_files(tmp_path: Path) -> None:
    needs.root()
    program = needs.program("haproxy", "haproxy")
    text = re.sub(r"(?m)^( +bind )\S+$", lambda bind: f"{bind[1]}127.0.0.1:{free_port()}", CONFIGURATION.read_text())
    assert text != CONFIGURATION.read_text()
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(text)
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([program, "-db", "-f", configuration], stdout=log, stderr=log) as process,
    ):
        folder = Path("/proc", str(process.pid))
        try:
            wait_until(lambda: (folder / "root").readlink() == Path("/var/lib/haproxy"))
            lines = (folder / "status").read_text().splitlines()
        finally:
            process.kill()
    (users,) = (line.split()[1:] for line in lines if line.startswith("Uid:"))
    assert set(users) == {str(pwd.getpwnam("haproxy").pw_uid)}
    (capabilities,) = (line.split()[1] for line in lines if line.startswith("CapEff:"))
    assert int(capabilities, 16) == 0
