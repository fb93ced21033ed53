from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks.capacity import balancer
from benchmarks.machine import ROOT
from tests import needs

pytestmark = pytest.mark.serial  # starts servers

OPTIONS = Namespace(server=sys.executable, tree=ROOT, rounds=1, seconds=0.1)


def test_haproxy_accepts_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text(balancer.CONFIGURATION.format(port=8000, server=8001))
    checked = subprocess.run(
        [needs.program("haproxy", "haproxy"), "-c", "-f", path], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_haproxy_takes_time_for_each_request() -> None:
    needs.program("haproxy", "haproxy")
    rows = balancer.measure(OPTIONS)
    assert [row["body"] for row in rows] == list(balancer.KINDS)
    assert all(row["per_core"] == pytest.approx(1e6 / row["balancer_us"], rel=0.01) for row in rows)


def test_without_haproxy_there_are_no_rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert balancer.measure(OPTIONS) == []
    assert "haproxy is not installed" in capsys.readouterr().err
